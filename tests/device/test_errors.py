"""point.errors: stable numbers, and what each runtime's exceptions stand for."""

import unittest

from point import errors
from point.errors import PointError, refine


class Numbers(unittest.TestCase):
    def test_numbers_never_change(self):
        """Logs, documents and other people's code know these by number."""
        names = {
            "DNS": 10,
            "CONNECT": 11,
            "TIMEOUT": 12,
            "CLOSED": 13,
            "OFFLINE": 14,
            "TLS": 20,
            "TLS_NAME": 21,
            "TLS_CA": 22,
            "TLS_DATE": 23,
            "HTTP_STATUS": 30,
            "TOO_LARGE": 31,
            "MALFORMED": 32,
            "FIELD": 33,
            "NO_CODE": 34,
            "REFUSED": 35,
            "FLASH": 40,
            "READ_BACK": 41,
            "BROKER_LOST": 15,
            "TLS_PIN": 24,
            "UNVERIFIED": 25,
            "SEAL": 36,
            "BROKER_REFUSED": 50,
            "BROKER_DENIED": 52,
            "SETTING": 60,
            "OPTION": 61,
            "IMEI": 62,
            "LACKING": 63,
            "NO_MEMORY": 70,
        }
        for name in names:
            self.assertEqual(getattr(errors, name), names[name], name)
            self.assertEqual(PointError(names[name]).name, name)

    def test_no_number_is_used_twice(self):
        """Every public number has one name."""
        numbers = []
        for name in dir(errors):
            value = getattr(errors, name)
            if name[0] != "_" and type(value) is int:
                self.assertNotIn(value, numbers, name)
                numbers.append(value)
        self.assertGreater(len(numbers), 20)

    def test_seed_codes(self):
        """The three codes of document 003 §4.2."""
        codes = (errors.SUCCESS, errors.FETCH_FAILED, errors.NO_CODE_IN_REPLY)
        self.assertEqual(codes, ("00000", "77777", "99999"))

    def test_text_has_number_name_and_detail(self):
        """One line tells a person all three."""
        self.assertEqual(str(PointError(10, "no name")), "E10 DNS: no name")
        self.assertEqual(PointError(99).name, "UNKNOWN")

    def test_who_can_mend_it(self):
        """The tens say who has to act, as docs/errors.md does."""
        for number, who in (
            (errors.DNS, "wait"),
            (errors.BROKER_LOST, "wait"),
            (errors.TLS_PIN, "operator"),
            (errors.REFUSED, "operator"),
            (errors.FLASH, "firmware"),
            (errors.BROKER_REFUSED, "operator"),
            (errors.SETTING, "firmware"),
            (errors.NO_MEMORY, "firmware"),
            (99, "firmware"),
        ):
            self.assertEqual(PointError(number).who, who, number)

    def test_is_an_exception(self):
        """except Exception catches it."""
        self.assertTrue(issubclass(PointError, Exception))
        error = PointError(12, "late")
        self.assertEqual(error.args, ("E12 TIMEOUT: late",))


class Verified(OSError):
    def __init__(self, verify_code):
        super().__init__(1, "certificate verify failed")
        self.verify_code = verify_code


class Reasoned(OSError):
    reason = "WRONG_VERSION_NUMBER"


class Refine(unittest.TestCase):
    def check(self, error, expected):
        self.assertEqual(refine(error, errors.CONNECT).name, expected, repr(error))

    def test_point_error_stays(self):
        """What is refined already is returned as it is."""
        error = PointError(errors.OFFLINE)
        self.assertIs(refine(error, errors.CONNECT), error)

    def test_errno(self):
        """The sign of an errno does not matter: some firmware gives it negative."""
        for sign in (1, -1):
            self.check(OSError(sign * 110), "TIMEOUT")
            self.check(OSError(sign * 116), "TIMEOUT")  # ESP32
            self.check(OSError(sign * 104), "CLOSED")
            self.check(OSError(sign * 103), "CLOSED")
            self.check(OSError(sign * 32), "CLOSED")
            self.check(OSError(sign * 111), "CONNECT")
            self.check(OSError(sign * 113), "CONNECT")
            self.check(OSError(sign * 29312), "CLOSED")
            self.check(OSError(sign * 30592, "mbedtls"), "TLS")
            self.check(OSError(sign * 6), "CONNECT")

    def test_without_errno(self):
        """An OSError may be empty, or hold only words."""
        self.check(OSError(), "CONNECT")
        self.check(OSError("timed out"), "TIMEOUT")
        self.check(OSError("no route"), "CONNECT")

    def test_mbedtls_sentences(self):
        """mbedTLS says it in words; of several the first in our table counts."""
        self.check(
            ValueError("The certificate is not signed by a trusted CA"), "TLS_CA"
        )
        name = "The certificate Common Name (CN) does not match"
        self.check(ValueError(name), "TLS_NAME")
        self.check(ValueError("The certificate validity has expired"), "TLS_DATE")
        self.check(ValueError("certificate validity starts in the future"), "TLS_DATE")
        self.check(ValueError("something else"), "TLS")

    def test_openssl_codes(self):
        """OpenSSL says it by number."""
        for code, name in (
            (9, "TLS_DATE"),
            (10, "TLS_DATE"),
            (62, "TLS_NAME"),
            (64, "TLS_NAME"),
            (18, "TLS_CA"),
            (20, "TLS_CA"),
        ):
            self.check(Verified(code), name)
        self.check(Reasoned(1, "wrong version number"), "TLS")
        self.check(Reasoned(8, "EOF occurred"), "CLOSED")
        self.check(Reasoned(6, "has been closed (EOF)"), "CLOSED")  # Python 3.11.2

    def test_texts_of_others_stay_out(self):
        """A detail never repeats what the exception said."""
        for error in (OSError(5, "s3cret"), ValueError("s3cret"), OSError("s3cret")):
            self.assertNotIn("s3cret", str(refine(error, errors.CONNECT)))

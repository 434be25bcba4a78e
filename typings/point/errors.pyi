from typing import Final, Literal

SUCCESS: Final = "00000"
FETCH_FAILED: Final = "77777"
NO_CODE_IN_REPLY: Final = "99999"

DNS: Final = 10
CONNECT: Final = 11
TIMEOUT: Final = 12
CLOSED: Final = 13
OFFLINE: Final = 14
BROKER_LOST: Final = 15
TLS: Final = 20
TLS_NAME: Final = 21
TLS_CA: Final = 22
TLS_DATE: Final = 23
TLS_PIN: Final = 24
UNVERIFIED: Final = 25
HTTP_STATUS: Final = 30
TOO_LARGE: Final = 31
MALFORMED: Final = 32
FIELD: Final = 33
NO_CODE: Final = 34
REFUSED: Final = 35
SEAL: Final = 36
FLASH: Final = 40
READ_BACK: Final = 41
BROKER_REFUSED: Final = 50
BROKER_DENIED: Final = 52
SETTING: Final = 60
OPTION: Final = 61
IMEI: Final = 62
LACKING: Final = 63
NO_MEMORY: Final = 70

class PointError(Exception):
    number: int
    detail: str
    name: str
    who: Literal["wait", "operator", "firmware"]
    def __init__(self, number: int, detail: str = "") -> None: ...

def refine(error: BaseException, otherwise: int) -> PointError: ...

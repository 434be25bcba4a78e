"""TLS over any stream, for ussl: by MicroPython's tls, or by CPython's ssl.

A stream has readinto(buffer) and write(data), which answer a count, None for "later",
or a negative errno.
"""

import vm

_VERIFY_FAILED = -0x2700


def link(stream, host, ca):
    """(read, write, close, certificate) over `stream`, after the handshake.

    `ca` as DER has the server verified. Raises OSError with mbedTLS' numbers.
    """
    return (_mbedtls if vm.MICROPYTHON else _openssl)(stream, host, ca)


def _mbedtls(stream, host, ca):
    tls = vm.tls
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_NONE
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except ValueError:
            raise ValueError("invalid ca")
        context.verify_mode = tls.CERT_REQUIRED
    try:
        made = context.wrap_socket(stream, server_hostname=host or "")
    except ValueError:
        raise OSError(_VERIFY_FAILED, "X509 - Certificate verification failed")
    return made.read, made.write, made.close, lambda: made.getpeercert(True)


def _openssl(stream, host, ca):
    ssl = vm.tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ca is not None:
        try:
            context.load_verify_locations(cadata=ca)
        except ssl.SSLError:
            raise ValueError("invalid ca") from None
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = True
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    made = context.wrap_bio(incoming, outgoing, server_hostname=host)

    def pumped(call, *arguments):
        while True:
            try:
                result = call(*arguments)
                _send(stream, outgoing.read())
                return result
            except ssl.SSLWantReadError:
                _send(stream, outgoing.read())
                data = bytearray(4096)
                count = stream.readinto(data)
                if count is None:
                    return None
                if count < 0:
                    raise OSError(-count) from None
                if not count:
                    incoming.write_eof()
                incoming.write(bytes(data[:count]))
            except ssl.SSLCertVerificationError:
                raise OSError(_VERIFY_FAILED, "Certificate verify failed") from None
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as error:
                if call == made.do_handshake or call == made.write:
                    raise OSError(-0x7280, "SSL - EOF") from error
                return b""
            except ssl.SSLError as error:
                raise OSError(-0x7780, "SSL - fatal alert") from error

    pumped(made.do_handshake)
    closed = []

    def open_only(call):
        def guarded(argument):
            if closed:
                raise OSError(-0x7100, "SSL - Bad input parameters")
            return call(argument)

        return guarded

    def read(size):
        """As MicroPython's streams: fewer only if there is no more yet, or ever."""
        data = b""
        while len(data) < size:
            more = pumped(made.read, size - len(data))
            if more is None and not data:
                return None
            if not more:
                break
            data += more
        return data

    return (
        open_only(read),
        open_only(lambda data: pumped(made.write, data)),
        lambda: closed.append(1),
        lambda: made.getpeercert(True),
    )


def _send(stream, data):
    while data:
        sent = stream.write(data)
        if sent is None:
            continue
        if sent < 0:
            raise OSError(-sent)
        data = data[sent:]

"""QuecPython's `umqtt`, as firmware of both ages has it, with what is wrong with it.

All causes become one ValueError, CONNACK 4 under the words of a lost connection. Old:
publish() returns None whatever happens, and waits 5 s for an acknowledgement that only
somebody else's wait_msg() would read; a message that comes before a SUBACK ends the
waiting for it. New: publish() tells True or False, a SUBACK is dropped, a QoS 1 message
is acknowledged by a thread. With a keepalive a thread pings, with `reconn` wait_msg()
reconnects for ever; every client keeps locks that only disconnect() frees.
"""

import _thread

import usocket as socket
import utime
import vm

_OLD = vm.OLD
locks = []  # the system's: what nobody frees is lost until the next start


class MQTTException(Exception):
    pass


class _Lock:
    def __init__(self):
        self._lock = _thread.allocate_lock()
        locks.append(self)
        self.acquire = self._lock.acquire
        self.release = self._lock.release
        self.locked = self._lock.locked


def _text(data):
    """Its length as umqtt counts it, and the bytes: on new firmware in characters."""
    raw = data.encode() if isinstance(data, str) else bytes(data)
    return bytes((len(data) >> 8, len(data) & 255)) + raw[: len(data)]


class _Base:
    def __init__(
        self, client_id, server, port=0, user=None, password=None, keepalive=0,
        ssl=False, ssl_params={}, reconn=True, version=4, pingmaxnum=0,
    ):  # fmt: skip
        if 0 < keepalive < 5:
            raise ValueError("inport parameter error : keepalive >= 5S")
        self.client_id = client_id
        self.server = server
        self.port = port or (8883 if ssl else 1883)
        self.user = user
        self.pswd = password
        self.keepalive = keepalive
        self.ssl = ssl
        self.ssl_params = ssl_params
        self.reconn = reconn
        self.sock = None
        self.cb = None
        self.will = None
        self.alive = True
        self.acknowledged = set()
        self.number = 0
        self.numbers = 0
        self.sendlock = None
        self.pinging = False

    def set_callback(self, f):
        self.cb = f

    def set_last_will(self, topic, msg, retain=False, qos=0):
        assert 0 <= qos <= 2
        assert topic
        self.will = topic, msg, retain, qos

    def connect(self, clean_session=True):
        if self.sendlock is None:
            self.sendlock = _Lock()
        try:
            found = socket.getaddrinfo(self.server, self.port)
        except Exception:
            raise ValueError("DNS Parsing '{}'".format(self.server))
        if not found:
            raise ValueError("DNS Parsing NULL")
        self.sock = socket.socket()
        self.sock.settimeout(20)
        self.sock.connect(found[0][-1])
        if self.ssl:
            import ussl

            params = dict(self.ssl_params)
            if not _OLD:
                params["server_hostname"] = self.server
            self.sock = ussl.wrap_socket(self.sock, **params)
        flags = clean_session << 1
        words = _text(self.client_id)
        if self.will:
            topic, message, retain, qos = self.will
            flags |= 4 | qos << 3 | retain << 5
            words += _text(topic) + _text(message)
        if self.user:
            flags |= 0x80
            words += _text(self.user)
        if self.pswd:
            flags |= 0x40
            words += _text(self.pswd)
        keep = bytes((self.keepalive >> 8, self.keepalive & 255))
        words = b"\0\4MQTT\4" + bytes((flags,)) + keep + words
        size = len(words)
        head = (
            bytes((0x10, size))
            if size < 128
            else bytes((0x10, size & 127 | 128, size >> 7))
        )
        self.sock.write(head + words)
        answer = self.sock.read(4)
        self.sock.setblocking(True)  # from here on it waits for ever
        assert answer[0] == 0x20 and answer[1] == 2
        if answer[3]:
            raise MQTTException(answer[3])
        return 0

    def disconnect(self):
        try:
            self.alive = False
            self.sock.write(b"\xe0\0")
            self._free()
        except:  # noqa: E722
            pass
        if not _OLD:
            self._free()
        utime.sleep_ms(500)
        if _OLD or self.sock:
            self.sock.close()

    def _free(self):
        if self.sendlock:
            locks.remove(self.sendlock)
            self.sendlock = None

    def close(self):
        self.sock.close()

    def ping(self):
        self.sock.write(b"\xc0\0")

    def publish(self, topic, msg, retain=False, qos=0):
        assert qos < 2
        self.number += 1
        size = 2 + len(topic) + len(msg) + (2 if qos else 0)
        head = bytearray((0x30 | qos << 1 | retain,))
        while size > 127:
            head.append(size & 127 | 128)
            size >>= 7
        head.append(size)
        self.sock.write(head)
        self.sock.write(bytes((len(topic) >> 8, len(topic) & 255)))
        self.sock.write(topic)
        if qos:
            self.acknowledged.add(self.number)
            self.sock.write(bytes((self.number >> 8, self.number & 255)))
        self.sock.write(msg)
        if not qos:
            return None if _OLD else True
        if not _OLD:
            self.wait_msg()  # one packet: if it is a message, bad luck
        came = self._acknowledged(self.number)
        return None if _OLD else came

    def _acknowledged(self, number):
        begun = utime.ticks_ms()
        while number in self.acknowledged:
            if utime.ticks_diff(utime.ticks_ms(), begun) > 5000:
                return False
            utime.sleep_ms(1000 if _OLD else 500)
        return True

    def subscribe(self, topic, qos=0):
        assert self.cb is not None, "Subscribe callback is not set"
        self.numbers += 1
        number = bytes((self.numbers >> 8, self.numbers & 255))
        self.sock.write(bytes((0x82, 5 + len(topic) & 255, 0, 0))[:2] + number)
        self.sock.write(bytes((len(topic) >> 8, len(topic) & 255)))
        self.sock.write(topic)
        self.sock.write(bytes((qos,)))
        if not self.ssl:
            self.sock.settimeout(5)
        while True:
            op = self.wait_msg()
            if not _OLD:
                return  # granted or not
            if op is None:
                return  # a message came first: the SUBACK is for whoever reads next
            if op == 0x90:
                answer = self.sock.read(4)
                assert answer[1:3] == number
                if answer[3] == 0x80:
                    raise MQTTException(answer[3])
                self.sock.setblocking(True)
                return

    def wait_msg(self):
        first = self.sock.read(1) if self.ssl else self.sock.recv(1)
        self.sock.setblocking(True)
        if not first:
            return None  # the end of the connection is no error
        if first == b"\xd0":
            self.sock.read(1)
            return first
        if first == b"\x40":
            number = self.sock.read(3)
            self.acknowledged.discard(number[1] << 8 | number[2])
            return None
        op = first[0]
        if op == 0x90 and not _OLD:
            return 0x80 if self.sock.read(4)[3] == 0x80 else 0x90
        if op & 0xF0 != 0x30:
            return op
        size = shift = 0
        while True:
            byte = self.sock.read(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        body = self.sock.read(size)
        end = 2 + (body[0] << 8 | body[1])
        number = body[end : end + 2] if op & 6 else b""
        if number and not _OLD:
            _thread.start_new_thread(self.sock.write, (b"\x40\2" + number,))
        self.cb(body[2:end], body[end + len(number) :])
        if number and _OLD:
            self.sock.write(b"\x40\2" + number)
            return op
        return None

    def check_msg(self):
        self.sock.setblocking(False)
        return self.wait_msg()


class MQTTClient(_Base):
    def connect(self, clean_session=True):
        try:
            _Base.connect(self, clean_session)
        except Exception as e:
            said = str(e)
            if said == "104":
                why = " Server Actively RST Disconnected.Need Check addr&port"
            elif said in ("107", "4"):
                why = " Server Actively FIN Disconnected.Need Check Connection "
                why += "parameters"
            elif said == "110":
                why = " Timeout.Need Check Network"
            else:
                raise ValueError("MQTT Connect error='{}' FAIL".format(e))
            raise ValueError("MQTT Connect Error='{}'".format(e) + why)
        if self.keepalive and not self.pinging:
            self.pinging = True
            _thread.start_new_thread(self._ping_for_ever, ())
        return 0

    def _ping_for_ever(self):
        while self.alive:
            utime.sleep_ms(self.keepalive * 1000 - 3000)
            self.ping()

    def publish(self, topic, msg, retain=False, qos=0):
        while self.sendlock.locked():  # for ever, if it is our caller who holds it
            utime.sleep_ms(10)
        self.sendlock.acquire()
        try:
            return _Base.publish(self, topic, msg, retain, qos)
        except Exception:
            return None if _OLD else False
        finally:
            self.sendlock.release()

    def wait_msg(self):
        while self.alive:
            try:
                return _Base.wait_msg(self)
            except Exception as error:
                if not self.reconn:
                    raise error
                utime.sleep(5)
                self.connect()

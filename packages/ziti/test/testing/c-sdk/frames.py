"""What both peers share: a message is 4 bytes of length (big-endian) and that many bytes. The C SDK may drop what is still
queued inside it when a connection is closed, so an end is always told by length, never by closing."""
import socket, struct


def wrap(fd):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd)
    s.settimeout(60)
    return s


def send(s, data):
    s.sendall(struct.pack(">I", len(data)) + data)


def exactly(s, count):
    got = bytearray()
    while len(got) < count:
        piece = s.recv(min(65536, count - len(got)))
        if not piece:
            raise EOFError(f"ended after {len(got)} of {count} bytes")
        got += piece
    return bytes(got)


def receive(s):
    return exactly(s, struct.unpack(">I", exactly(s, 4))[0])

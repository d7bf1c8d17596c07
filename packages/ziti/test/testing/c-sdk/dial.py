"""Dials a service with the C SDK, several connections at once; each sends one message of random bytes and compares the answer.
usage: dial.py IDENTITY SERVICE CONNECTIONS BYTES [INSTANCE]     prints 'equal N'; exit 0 = all are equal
Connections are closed when all are done: a number of a closed one, used again, is refused by this wheel."""
import hashlib, os, sys, threading
import openziti
from openziti import zitilib
from frames import receive, send, wrap

identity, service, connections, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
instance = sys.argv[5].encode() if len(sys.argv) > 5 else None

ctx = openziti.load(identity)
if not ctx._ctx:
    sys.exit("identity could not be loaded")


def connect():
    # Its own connect() encodes a missing instance and raises.
    fd = zitilib.ziti_socket(1)
    zitilib.check_error(zitilib._ziti_connect(fd, ctx._ctx, service.encode(), instance))
    return wrap(fd)


equal = []


def talk(s):
    data = os.urandom(size)
    writer = threading.Thread(target=send, args=(s, data))
    writer.start()
    got = receive(s)
    writer.join()
    if hashlib.sha256(got).digest() == hashlib.sha256(data).digest():
        equal.append(1)


sockets = [connect() for _ in range(connections)]
threads = [threading.Thread(target=talk, args=(s,)) for s in sockets]
for t in threads:
    t.start()
for t in threads:
    t.join()
for s in sockets:
    s.close()
print("equal", len(equal), flush=True)
openziti.shutdown()
sys.exit(0 if len(equal) == connections else 1)

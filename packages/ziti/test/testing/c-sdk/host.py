"""Hosts a service with the C SDK: sends every message back, one thread for each connection, until its dialer ends.
usage: host.py IDENTITY SERVICE [INSTANCE]     prints 'listening'; runs until stdin ends"""
import os, sys, threading
import openziti
from openziti import zitilib
from frames import receive, send, wrap

identity, service = sys.argv[1], sys.argv[2]
instance = sys.argv[3] if len(sys.argv) > 3 else None


def echo(fd, caller):
    s = wrap(fd)
    count = 0
    try:
        while True:
            send(s, receive(s))
            count += 1
    except (EOFError, OSError) as e:
        print(f"done {caller} {count} {e}", flush=True)
    s.close()


def accept(fd):
    while True:
        connection, (caller, _) = zitilib.accept(fd)
        threading.Thread(target=echo, args=(connection, caller), daemon=True).start()


ctx = openziti.load(identity)
if not ctx._ctx:
    sys.exit("identity could not be loaded")
fd = zitilib.ziti_socket(1)
zitilib.bind(fd, ctx._ctx, service, instance)
zitilib.listen(fd, 100)
print("listening", flush=True)
threading.Thread(target=accept, args=(fd,), daemon=True).start()
sys.stdin.buffer.read()
os._exit(0)

"""Runs Azure ML's server on `app.py` of the folder, in the network of this process, and asks it what comes as lines of
JSON."""

import fcntl
import json
import socket
import struct
import subprocess
import sys

from peers import ask, free_port, wait_for

#: From <linux/sockios.h> and <linux/if.h>: the flags of a network device, and that it is up.
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def main() -> None:
    bring_loopback_up()
    port = free_port()
    command = ["azmlinfsrv", "--entry_script", "app.py", "--model_dir", ".", "--port", str(port)]
    with open("azure.log", "w+b") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(port, server, log)
    while ask(f"http://127.0.0.1:{port}/")[0] != 200:
        pass
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        method, path, body, headers = json.loads(line)
        status, found, text = ask(f"http://127.0.0.1:{port}{path}", method, bytes.fromhex(body) or None, headers)
        print(json.dumps([status, found, text.hex()]), flush=True)


if __name__ == "__main__":
    main()

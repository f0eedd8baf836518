"""A private authoritative name server: the whole tree from one zone file, on loopback."""

import os
import re
import socket

from . import netns, peers
from .proc import Process, wait_until

CONFIGURATION = """\
server:
	ip-address: 127.0.0.1@{port}
	port: {port}
	username: ""
	zonesdir: "{dir}"
	database: ""
	pidfile: ""
	xfrdfile: ""
	zonelistfile: "{dir}/zone.list"
	xfrdir: "{dir}"
	server-count: 1
remote-control:
	control-enable: no
zone:
	name: "."
	zonefile: "root.zone"
"""
APEX = """\
. 3600 IN SOA ns.lab.example. postmaster.lab.example. 1 3600 600 86400 60
. 3600 IN NS ns.lab.example.
ns.lab.example. 3600 IN A 127.0.0.1
"""
# Lines that only the gateway's own zone reader knows (a name that fails or stays silent).
_ONLY_OURS = re.compile(r"^\S+\s+\d+\s+IN\s+(SERVFAIL|TIMEOUT)\s", re.I)


class Nsd:
    def __init__(self, directory):
        self.dir = directory
        self.process = Process(f"{directory}/pid")
        self.log = f"{directory}/log"
        self.port = None

    def start(self, zone_file):
        os.makedirs(self.dir, exist_ok=True)
        self.port = netns.free_port()
        with open(zone_file, encoding="utf-8") as f:
            lines = [line for line in f if not _ONLY_OURS.match(line)]
        with open(f"{self.dir}/root.zone", "w", encoding="utf-8") as f:
            f.write(APEX + "".join(lines))
        with open(f"{self.dir}/nsd.conf", "w", encoding="utf-8") as f:
            f.write(CONFIGURATION.format(dir=self.dir, port=self.port))
        self.process.start(peers.argv("nsd", "-d", "-c", f"{self.dir}/nsd.conf"), self.log)
        wait_until(self._answers, 15, "the name server", self.process, self.log)
        return self.port

    def _answers(self):
        question = b"\x12\x34\x00\x00\x00\x01" + bytes(6) + b"\x00\x00\x06\x00\x01"  # . SOA
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.3)
            try:
                s.connect(("127.0.0.1", self.port))
                s.send(question)
                answer = s.recv(512)
            except OSError:
                return False
        return answer[:2] == b"\x12\x34" and answer[3] & 15 == 0

    def stop(self):
        return self.process.stop()

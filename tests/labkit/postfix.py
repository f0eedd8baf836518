"""A private Postfix, unpacked by tests/peers, with a folder and a port of its own."""

import os
import shutil
import socket

from . import netns, peers
from .proc import LabError, Process, run, wait_until

# The account that tests/peers writes into the private /etc/passwd.
ACCOUNT = 60904

# service type private unpriv chroot wakeup maxproc command: Debian's own, without chroot.
SERVICES = """\
{port}     inet       n - n -     - smtpd
pickup     unix       n - n 60    1 pickup
cleanup    unix       n - n -     0 cleanup
qmgr       unix       n - n 300   1 qmgr
rewrite    unix       - - n -     - trivial-rewrite
bounce     unix       - - n -     0 bounce
defer      unix       - - n -     0 bounce
trace      unix       - - n -     0 bounce
verify     unix       - - n -     1 verify
flush      unix       n - n 1000? 0 flush
proxymap   unix       - - n -     - proxymap
lmtp       unix       - - n -     - lmtp
error      unix       - - n -     - error
retry      unix       - - n -     - error
anvil      unix       - - n -     1 anvil
tlsmgr     unix       - - n 1000? 1 tlsmgr
scache     unix       - - n -     1 scache
postlog    unix-dgram n - n -     1 postlogd
"""


class Postfix:
    host = "127.0.0.1"

    def __init__(self, directory):
        self.dir = directory
        self.port = None
        self.process = Process(f"{directory}/master.pid")
        self.log = f"{directory}/log/maillog"

    def configure(self, settings):
        """`settings` go over those that a folder and a port of one's own need."""
        for name in ("conf", "queue", "data", "log"):
            os.makedirs(f"{self.dir}/{name}")
        os.chown(f"{self.dir}/data", ACCOUNT, -1)
        self.port = netns.free_port()
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": f"{self.dir}/queue",
            "data_directory": f"{self.dir}/data",
            "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "shlib_directory": "/usr/lib/postfix",
            "meta_directory": f"{self.dir}/conf",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "maillog_file": self.log,
            "maillog_file_prefixes": f"{self.dir}/log",
            "mydestination": "",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "inet_interfaces": self.host,
            "inet_protocols": "ipv4",
            **settings,
        }
        with open(f"{self.dir}/conf/main.cf", "w", encoding="ascii") as f:
            f.writelines(f"{key} = {value}\n" for key, value in settings.items())
        with open(f"{self.dir}/conf/master.cf", "w", encoding="ascii") as f:
            f.write(SERVICES.format(port=self.port))
        self._complete()

    def _complete(self):
        """Folders of the queue with their owners, as Postfix itself makes them."""
        root = os.environ.get("POSTERN_PEERS", f"{peers.SOURCE}/build/peers") + "/root"
        for name in ("postfix-files", "post-install", "postfix-script"):
            shutil.copy(f"{root}/etc/postfix/{name}", f"{self.dir}/conf/{name}")
        with open(f"{self.dir}/conf/dynamicmaps.cf", "w", encoding="ascii"):
            pass
        os.chmod(self.dir, 0o755)
        run(*peers.argv("postfix", "-c", f"{self.dir}/conf", "check"))

    def start(self):
        self.process.start(peers.argv("/usr/lib/postfix/sbin/master", "-c", f"{self.dir}/conf"),
                           f"{self.dir}/log/master")
        wait_until(self._greets, 20, "Postfix greets", self.process, self.log)

    def _greets(self):
        try:
            with socket.create_connection((self.host, self.port), 1) as s:
                return s.recv(3) == b"220"
        except OSError:
            return False

    def stop(self):
        if self.process.pid and not self.process.stop(20):
            raise LabError("Postfix did not end by itself", "see its log", self.log)

"""A throw-away Postfix that hands `@example.test` to a throw-away Dovecot, both on loopback, for tests marked `peer`.

Import the `mail_peers` fixture into a test module to use it. It needs root, as Postfix does, and the packages
postfix, dovecot-imapd and dovecot-lmtpd; where they are absent the tests are skipped with the reason.
"""

from __future__ import annotations

import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

DOMAIN = "example.test"
PASSWORD = "pw"  # of every mailbox
WAIT_LIMIT = 30.0  # seconds
SIZE_LIMIT = 10 * 1024 * 1024  # octets that Postfix takes as one message

_POSTFIX = Path("/usr/sbin/postfix")
_DOVECOT = Path("/usr/sbin/dovecot")

_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = example.test papers.test
virtual_transport = lmtp:inet:127.0.0.1:{lmtp_port}
transport_maps = inline:{{ {{ papers.test = virtual: }} }}
virtual_mailbox_base = {folder}
virtual_mailbox_maps = inline:{{ {{ intake@papers.test = inbox/ }}, {{ @example.test = elsewhere/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_recipient_restrictions =
    check_recipient_access inline:{{ {{ unknown@example.test = 550 5.1.1 no such user }} }}, permit_mynetworks, reject
default_transport = error:no outside delivery in tests
relay_transport = error:no outside delivery in tests
smtp_dns_support_level = disabled
lmtp_dns_support_level = disabled
smtpd_client_connection_count_limit = 100
smtpd_error_sleep_time = 0
smtpd_peername_lookup = no
message_size_limit = {size_limit}
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
"""

_MASTER_CF = """\
127.0.0.1:{smtp_port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr    unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce  unix - - n - 0 bounce
defer   unix - - n - 0 bounce
trace   unix - - n - 0 bounce
verify  unix - - n - 1 verify
flush   unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error   unix - - n - - error
retry   unix - - n - - error
lmtp    unix - - n - - lmtp
virtual unix - n n - - virtual
anvil   unix - - n - 1 anvil
scache  unix - - n - 1 scache
tlsmgr  unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

_DOVECOT_CONF = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap lmtp
auth_username_chars =
recipient_delimiter = +
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:{folder}/mail/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
passdb {{
  driver = static
  args = password=pw
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


@dataclass(frozen=True)
class MailPeers:
    """Where the two servers listen, on 127.0.0.1. Every address at `domain` exists but `unknown`."""

    smtp_port: int
    imap_port: int
    folder: Path
    host: str = "127.0.0.1"
    domain: str = DOMAIN

    @property
    def inbox(self) -> Path:
        """The folder that Postfix delivers `intake@papers.test` to, as a Maildir."""
        return self.folder / "postfix" / "inbox"

    def mailbox(self, address: str, at_least: int = 1) -> list[bytes]:
        """Return the messages that have arrived for `address`, once there are at least so many."""
        with imaplib.IMAP4(self.host, self.imap_port, timeout=WAIT_LIMIT) as imap:
            imap.login(address, PASSWORD)

            def has_arrived() -> bool:
                return int(imap.select("INBOX", readonly=True)[1][0] or 0) >= at_least

            _wait_until(has_arrived, f"{at_least} messages for {address}")
            _, parts = imap.fetch("1:*", "(BODY.PEEK[])")
            return [part[1] for part in parts if isinstance(part, tuple)]


@pytest.fixture(scope="session")
def mail_peers() -> Iterator[MailPeers]:
    """Postfix and Dovecot for the whole test run."""
    if os.geteuid() != 0:
        pytest.skip("Postfix can only be started by root")
    for program in (_POSTFIX, _DOVECOT):
        if not program.exists():
            pytest.skip(f"{program} is not installed")
    with ExitStack() as stack:
        # Not pytest's folder: that is closed to others, and both servers give up root.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mail-peers-")))
        folder.chmod(0o755)
        smtp_port, lmtp_port, imap_port = _free_ports(3)
        stack.enter_context(_dovecot(folder / "dovecot", lmtp_port, imap_port))
        stack.enter_context(_postfix(folder / "postfix", smtp_port, lmtp_port))
        yield MailPeers(smtp_port, imap_port, folder)


@contextmanager
def _dovecot(folder: Path, lmtp_port: int, imap_port: int) -> Iterator[None]:
    """Dovecot: LMTP in, IMAP out, maildirs that belong to the system's user `mail`."""
    (folder / "run").mkdir(parents=True)
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", "mail", "mail")
    configuration = folder / "dovecot.conf"
    configuration.write_text(_DOVECOT_CONF.format(folder=folder, lmtp_port=lmtp_port, imap_port=imap_port))
    with (folder / "start.log").open("wb") as log:
        server = subprocess.Popen(
            [_DOVECOT, "-F", "-c", configuration], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        for port in (lmtp_port, imap_port):
            _wait_until(partial(_listens, port), f"Dovecot on port {port}; see {folder}/dovecot.log")
        yield
    finally:
        server.terminate()
        server.wait(WAIT_LIMIT)


@contextmanager
def _postfix(folder: Path, smtp_port: int, lmtp_port: int) -> Iterator[None]:
    """Postfix: SMTP in, LMTP out, nothing to the outside."""
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix")
    (folder / "inbox").mkdir()
    shutil.chown(folder / "inbox", "mail", "mail")
    etc = folder / "etc"
    mail = pwd.getpwnam("mail")
    values = {"folder": folder, "lmtp_port": lmtp_port, "size_limit": SIZE_LIMIT, "uid": mail.pw_uid}
    (etc / "main.cf").write_text(_MAIN_CF.format(**values, gid=mail.pw_gid))
    (etc / "master.cf").write_text(_MASTER_CF.format(smtp_port=smtp_port))
    with (folder / "start.log").open("wb") as log:  # a pipe would be inherited, and waited for, for ever
        subprocess.run([_POSTFIX, "-c", etc, "start"], check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    pid = int((folder / "queue" / "pid" / "master.pid").read_text())
    try:
        _wait_until(lambda: _listens(smtp_port), f"Postfix on port {smtp_port}; see {folder}/maillog")
        yield
    finally:
        os.kill(pid, signal.SIGTERM)
        _wait_until(lambda: not _is_running(pid), f"the end of Postfix, process {pid}")


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; held together, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A master that nobody reaps (in a container without an init) has ended all the same.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_LIMIT:g} seconds for {what}")
        time.sleep(0.02)  # another process's doing gives no event to wait for

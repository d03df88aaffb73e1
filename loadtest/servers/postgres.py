"""A PostgreSQL server of our own, in a temporary folder."""

import contextlib
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from .place import LOOPBACK
from .process import cpu, free_port


class Refused(Exception):
    """What a program of the server said when it failed."""


class Postgres:
    """A server of our own in a temporary folder. It refuses root, so root runs it as the user postgres."""

    def __init__(self, folder, *settings, place=LOOPBACK):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        self.programs = pathlib.Path(programs[-1]) if programs else pathlib.Path(shutil.which("initdb") or sys.exit("no initdb")).parent
        self.data, self.port, self.place = folder / "postgres", free_port(), place
        self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        self.data.mkdir()
        if self.as_user:
            shutil.chown(self.data, "postgres", "postgres")
            os.chmod(folder, 0o755)
        self.run("initdb", "-A", "trust", "--no-sync", "--locale=C.UTF-8", "-U", "postgres", "-D", self.data)
        if place is not LOOPBACK:
            with open(self.data / "pg_hba.conf", "a") as rules:
                rules.write("host all all samenet trust\n")
        self.settings = ["shared_buffers=512MB", "max_wal_size=4GB", *settings]
        self.start()

    def start(self):
        """On what is there, at the same port; waits until it accepts."""
        command = [*self.as_user, self.programs / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.data, "-h", self.place.host]
        with self.place.entered():
            self.server = subprocess.Popen([*command, *(word for s in self.settings for word in ("-c", s))], stderr=subprocess.DEVNULL)
        for _ in range(300):
            with contextlib.suppress(Refused):
                self.run("psql", *self.where("postgres"), "-c", "SELECT 1")
                return
            time.sleep(0.1)
        sys.exit("PostgreSQL does not answer")

    def where(self, database):
        return ["-h", self.place.host, "-p", str(self.port), "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-qAt"]

    def url(self, database):
        return f"postgres://postgres@{self.place.host}:{self.port}/{database}"

    def run(self, program, *arguments, text=None, name="lets-connect"):
        command = [*self.as_user, self.programs / program, *arguments]
        # What is filled in here is not to be heeded as what others write, unless it has another name: the indexes are filled as well.
        env = {**os.environ, "PGAPPNAME": name}
        with self.place.entered():
            done = subprocess.run(command, input=text, capture_output=True, text=True, cwd="/", env=env)
        if done.returncode != 0:
            raise Refused(program, done.stderr.strip())
        return done.stdout

    def sql(self, database, statement):
        return self.run("psql", *self.where(database), text=statement).strip()

    def cpu(self):
        """CPU seconds of all its processes, those that ended included."""
        pids = [self.server.pid, *map(int, pathlib.Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split())]
        return sum(cpu(pid) for pid in pids) + cpu(self.server.pid, ended=True)

    def stop(self, how=signal.SIGINT):
        """By default with a checkpoint, and without waiting for who is connected; SIGQUIT is a crash."""
        self.server.send_signal(how)
        self.server.wait(30)

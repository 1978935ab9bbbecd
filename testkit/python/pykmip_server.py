"""Runs PyKMIP's own KMIP server for tests: any free port, everything in one folder, one process.

    pykmip_server.py FOLDER CA CERTIFICATE KEY PORT

PORT 0 takes a free one. Prints "listening on 127.0.0.1:PORT" once connections are accepted. The folder receives
pykmip.db (the SQLite database; PyKMIP's default is in /tmp) and pykmip.log.
"""

import multiprocessing
import os
import sys


class OneProcess:
    """Stands in for multiprocessing.Manager: the policies need no helper process, which would outlive a kill."""

    @staticmethod
    def dict():
        return {}


def main():
    folder, ca, certificate, key, port = sys.argv[1:]
    multiprocessing.Manager = OneProcess
    from kmip.services.server import KmipServer

    policies = os.path.join(folder, "policies")
    os.makedirs(policies, exist_ok=True)
    server = KmipServer(
        hostname="127.0.0.1",
        certificate_path=certificate,
        key_path=key,
        ca_path=ca,
        auth_suite="TLS1.2",
        config_path=None,
        log_path=os.path.join(folder, "pykmip.log"),
        policy_path=policies,
        enable_tls_client_auth=True,
        logging_level="INFO",
        live_policies=False,
        database_path=os.path.join(folder, "pykmip.db"),
    )
    # The setting refuses 0; the socket does not.
    server.config.settings["port"] = int(port)
    server.start()
    # serve() listens too; doing it first means that the line below is true when it is read.
    server._socket.listen(64)
    print("listening on 127.0.0.1:%d" % server._socket.getsockname()[1], flush=True)
    server.serve()


if __name__ == "__main__":
    main()

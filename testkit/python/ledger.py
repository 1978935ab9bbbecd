"""Creates keys over several connections and keeps a ledger, so that a server can be killed meanwhile and judged later.

    ledger.py create HOST PORT CA CERTIFICATE KEY LEDGER CONNECTIONS COUNT
    ledger.py verify HOST PORT CA CERTIFICATE KEY LEDGER REFUSED

"create" appends "try NAME" before each Create and "ack NAME IDENTIFIER" after the server has acknowledged it. A connection
that breaks ends its share of the work; the program still ends with 0, because that is what is being tried. A refusal is noted
as "refused NAME REASON", and the work goes on.

"verify" checks that every acknowledged key is there, readable and complete, and that a key whose answer was lost is either
complete or absent. REFUSED says how a refused key is judged: "never" (a refusal is a fault), "absent" (it must not exist) or
"open" (like a lost answer). It prints what it found and ends with 1 when something is missing or half-written.

The client is PyKMIP's own. The ledger shares no code with the server and sees only the wire.
"""

import logging
import sys
import threading
import uuid

from kmip.core import enums
from kmip.core.factories.attributes import AttributeFactory
from kmip.pie import exceptions as pie_exceptions
from kmip.pie.client import ProxyKmipClient

MASKS = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
BITS = 256


class Server:
    def __init__(self, host, port, ca, certificate, key):
        self.arguments = {"hostname": host, "port": int(port), "ca": ca, "cert": certificate, "key": key,
                          "kmip_version": enums.KMIPVersion.KMIP_1_2}

    def connect(self):
        return ProxyKmipClient(**self.arguments)


def create(server, ledger_path, connections, count):
    run = uuid.uuid4()
    lock = threading.Lock()
    with open(ledger_path, "a", buffering=1) as ledger:

        def note(line):
            with lock:
                ledger.write(line + "\n")

        def work(worker):
            try:
                with server.connect() as client:
                    for number in range(worker, count, connections):
                        name = "ledger-%s-%d" % (run, number)
                        note("try " + name)
                        try:
                            identifier = client.create(enums.CryptographicAlgorithm.AES, BITS, name=name,
                                                       cryptographic_usage_mask=MASKS)
                        except pie_exceptions.KmipOperationFailure as refusal:
                            # The server answered, and not with a key: never what a kill looks like.
                            note("refused %s %s" % (name, str(refusal).replace("\n", " ")))
                            continue
                        note("ack %s %s" % (name, identifier))
            except Exception as error:
                note("broken %d %s" % (worker, type(error).__name__))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def read(ledger_path):
    """({name: identifier} acknowledged, {name} tried, {name: line} refused)"""
    acknowledged, tried, refused = {}, set(), {}
    with open(ledger_path) as ledger:
        for line in ledger:
            words = line.split()
            if words[0] == "try":
                tried.add(words[1])
            elif words[0] == "ack":
                acknowledged[words[1]] = words[2]
            elif words[0] == "refused":
                refused[words[1]] = line.strip()
    return acknowledged, tried, refused


def faults_of(client, name, identifier):
    """What is wrong with one key, as a text; empty when it is complete."""
    try:
        key = client.get(identifier)
        _, found = client.get_attributes(identifier, ["Name", "Cryptographic Length", "State"])
    except pie_exceptions.KmipOperationFailure as failure:
        return "cannot be read: %s" % failure
    attributes = {attribute.attribute_name.value: attribute.attribute_value for attribute in found}
    if len(key.value) * 8 != BITS:
        return "has %d bytes" % len(key.value)
    if attributes["Name"].name_value.value != name:
        return "is called %r" % attributes["Name"].name_value.value
    if attributes["Cryptographic Length"].value != BITS:
        return "has the length %d" % attributes["Cryptographic Length"].value
    if attributes["State"].value != enums.State.PRE_ACTIVE:
        return "is %s" % attributes["State"].value
    return ""


def verify(server, ledger_path, judgement):
    acknowledged, tried, refused = read(ledger_path)
    factory = AttributeFactory()
    faults = list(refused.values()) if judgement == "never" else []
    late = 0
    with server.connect() as client:
        for name in sorted(tried):
            found = client.locate(attributes=[factory.create_attribute(enums.AttributeType.NAME, name)])
            if name in acknowledged:
                if found != [acknowledged[name]]:
                    faults.append("%s was acknowledged as %s, and Locate finds %s" % (
                        name, acknowledged[name], found))
                    continue
            elif len(found) > 1:
                faults.append("%s exists %d times" % (name, len(found)))
                continue
            elif found and name in refused and judgement == "absent":
                faults.append("%s was refused and exists" % name)
            elif found:
                late += 1
            for identifier in found:
                fault = faults_of(client, name, identifier)
                if fault:
                    faults.append("%s (%s) %s" % (name, identifier, fault))
    for fault in faults:
        print("FAULT " + fault)
    print("%d acknowledged, %d refused, %d made without an acknowledgement, %d never made, %d faults" % (
        len(acknowledged), len(refused), late, len(tried) - len(acknowledged) - late, len(faults)))
    return 1 if faults else 0


def main():
    mode, host, port, ca, certificate, key, ledger = sys.argv[1:8]
    # PyKMIP logs every broken connection.
    logging.disable(logging.CRITICAL)
    server = Server(host, port, ca, certificate, key)
    if mode == "create":
        create(server, ledger, int(sys.argv[8]), int(sys.argv[9]))
        return 0
    return verify(server, ledger, sys.argv[8])


if __name__ == "__main__":
    sys.exit(main())

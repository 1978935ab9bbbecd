"""Drives any KMIP server with PyKMIP's own client (ProxyKmipClient), once for each of the versions 1.0 to 1.4.

    proxy_client.py HOST PORT CA CERTIFICATE KEY [VERSION...]

Prints one line for each check, "ok VERSION CHECK" or "FAILED VERSION CHECK: why", and ends with 1 if one failed.
"""

import logging
import os
import sys
import traceback
import uuid

from kmip.core import enums, exceptions as core_exceptions, primitives
from kmip.core.factories.attributes import AttributeFactory
from kmip.core.objects import Attribute
from kmip.pie import exceptions as pie_exceptions
from kmip.pie.client import ProxyKmipClient
from kmip.pie.objects import OpaqueObject, SecretData, SymmetricKey

VERSIONS = {
    "1.0": enums.KMIPVersion.KMIP_1_0,
    "1.1": enums.KMIPVersion.KMIP_1_1,
    "1.2": enums.KMIPVersion.KMIP_1_2,
    "1.3": enums.KMIPVersion.KMIP_1_3,
    "1.4": enums.KMIPVersion.KMIP_1_4,
}
AES = enums.CryptographicAlgorithm.AES
ENCRYPT_DECRYPT = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
FAILURES = (pie_exceptions.KmipOperationFailure, core_exceptions.OperationFailure)


def expect(condition, *seen):
    """Unlike assert, it stays under python -O and shows what was seen."""
    if not condition:
        raise AssertionError("saw " + ", ".join(repr(value) for value in seen))


def refused(call, *reasons):
    """The server must refuse `call`, with one of `reasons` where any are given."""
    try:
        result = call()
    except FAILURES as failure:
        expect(not reasons or failure.reason in reasons, failure.reason)
        return
    raise AssertionError("it was allowed and returned %r" % (result,))


class Checks:
    """The checks in the order in which they run; later ones use the objects of earlier ones."""

    def __init__(self, client, version):
        self.client = client
        self.version = version
        self.factory = AttributeFactory()
        # A prefix of this run's own: the server may hold other objects, of earlier versions for one.
        self.prefix = "pykmip-%s-%s" % (version, uuid.uuid4())
        self.made = []

    def name(self, suffix):
        return "%s-%s" % (self.prefix, suffix)

    def attribute(self, kind, value, index=None):
        return self.factory.create_attribute(kind, value, index)

    def locate_name(self, name):
        return self.client.locate(attributes=[self.attribute(enums.AttributeType.NAME, name)])

    def attributes(self, identifier, *names):
        """{name: [value, ...]} of an object, as Get Attributes tells them."""
        found_identifier, found = self.client.get_attributes(identifier, list(names) or None)
        expect(found_identifier == identifier, found_identifier, identifier)
        result = {}
        for attribute in found:
            result.setdefault(attribute.attribute_name.value, []).append(attribute.attribute_value)
        return result

    def state(self, identifier):
        return self.attributes(identifier, "State")["State"][0].value

    def query(self):
        functions = [enums.QueryFunction.QUERY_OPERATIONS, enums.QueryFunction.QUERY_OBJECTS,
                     enums.QueryFunction.QUERY_SERVER_INFORMATION,
                     enums.QueryFunction.QUERY_APPLICATION_NAMESPACES]
        if self.version != "1.0":
            functions += [enums.QueryFunction.QUERY_EXTENSION_LIST, enums.QueryFunction.QUERY_EXTENSION_MAP]
        answer = self.client.proxy.query(query_functions=functions)
        expect(answer.result_status.value == enums.ResultStatus.SUCCESS, answer.result_message)
        operations = set(answer.operations)
        wanted = {enums.Operation.CREATE, enums.Operation.REGISTER, enums.Operation.LOCATE, enums.Operation.GET,
                  enums.Operation.GET_ATTRIBUTES, enums.Operation.GET_ATTRIBUTE_LIST, enums.Operation.ACTIVATE,
                  enums.Operation.REVOKE, enums.Operation.DESTROY, enums.Operation.QUERY}
        expect(wanted <= operations, wanted - operations)
        # A version must not be offered what it does not know (KMIP 1.1 added Discover Versions, 1.2 Encrypt).
        expect((enums.Operation.DISCOVER_VERSIONS in operations) == (self.version != "1.0"), operations)
        expect(self.version not in ("1.0", "1.1") or enums.Operation.ENCRYPT not in operations, operations)
        expect(answer.vendor_identification, answer.vendor_identification)

    def discover_versions(self):
        answer = self.client.proxy.discover_versions()
        expect(answer.result_status.value == enums.ResultStatus.SUCCESS, answer.result_message)
        offered = ["%d.%d" % (version.major, version.minor) for version in answer.protocol_versions]
        expect(set(VERSIONS) <= set(offered), offered)
        expect(offered == sorted(offered, reverse=True), offered)

    def create(self):
        for index, length in enumerate((128, 192, 256, 256, 256)):
            self.made.append(self.client.create(AES, length, name=self.name(index),
                                                cryptographic_usage_mask=ENCRYPT_DECRYPT))
        expect(len(set(self.made)) == 5, self.made)

    def get(self):
        values = set()
        for identifier, length in zip(self.made, (128, 192, 256, 256, 256)):
            key = self.client.get(identifier)
            expect(isinstance(key, SymmetricKey), key)
            expect(key.cryptographic_algorithm == AES, key.cryptographic_algorithm)
            expect(key.cryptographic_length == length, key.cryptographic_length)
            expect(len(key.value) * 8 == length, len(key.value))
            expect(key.value == self.client.get(identifier).value)
            values.add(key.value)
        expect(len(values) == 5)

    def register_symmetric_key(self):
        material = os.urandom(32)
        self.key = self.client.register(
            SymmetricKey(AES, 256, material, masks=ENCRYPT_DECRYPT, name=self.name("registered")))
        key = self.client.get(self.key)
        expect(isinstance(key, SymmetricKey), key)
        expect(key.value == material)

    def register_secret_data(self):
        self.secret = self.client.register(
            SecretData(b"correct horse", enums.SecretDataType.PASSWORD,
                       masks=[enums.CryptographicUsageMask.DERIVE_KEY], name=self.name("secret")))
        secret = self.client.get(self.secret)
        expect(isinstance(secret, SecretData), secret)
        expect(secret.value == b"correct horse")
        expect(secret.data_type == enums.SecretDataType.PASSWORD, secret.data_type)

    def register_opaque_object(self):
        content = bytes(range(256)) * 5
        self.opaque = self.client.register(
            OpaqueObject(content, enums.OpaqueDataType.NONE, name=self.name("opaque")))
        opaque = self.client.get(self.opaque)
        expect(isinstance(opaque, OpaqueObject), opaque)
        expect(opaque.value == content)

    def locate_by_name(self):
        for index, identifier in enumerate(self.made):
            found = self.locate_name(self.name(index))
            expect(found == [identifier], found, identifier)
        expect(self.locate_name(self.name("nobody")) == [])

    def locate_by_object_type(self):
        for kind, mine, others in (
            (enums.ObjectType.SYMMETRIC_KEY, self.made + [self.key], [self.secret, self.opaque]),
            (enums.ObjectType.SECRET_DATA, [self.secret], self.made + [self.opaque]),
            (enums.ObjectType.OPAQUE_DATA, [self.opaque], self.made + [self.secret]),
        ):
            found = self.client.locate(attributes=[self.attribute(enums.AttributeType.OBJECT_TYPE, kind)])
            expect(set(mine) <= set(found), kind, mine, found)
            expect(not set(others) & set(found), kind, others, found)

    def locate_by_several_attributes(self):
        wanted = [self.attribute(enums.AttributeType.NAME, self.name(0)),
                  self.attribute(enums.AttributeType.CRYPTOGRAPHIC_ALGORITHM, AES),
                  self.attribute(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 128)]
        expect(self.client.locate(attributes=wanted) == [self.made[0]])
        # Every filter narrows: one that does not hold leaves nothing.
        wanted[2] = self.attribute(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 256)
        expect(self.client.locate(attributes=wanted) == [])

    def locate_pages(self):
        kind = [self.attribute(enums.AttributeType.OBJECT_TYPE, enums.ObjectType.SYMMETRIC_KEY)]
        everything = self.client.locate(attributes=kind)
        pages = []
        for offset in range(0, len(everything) + 2, 2):
            page = self.client.locate(attributes=kind, maximum_items=2, offset_items=offset)
            expect(len(page) == max(0, min(2, len(everything) - offset)), offset, page)
            pages += page
        expect(sorted(pages) == sorted(everything), pages, everything)
        expect(set(self.made) <= set(pages), pages)

    def get_attributes(self):
        seen = self.attributes(self.made[1])
        expect(seen["Object Type"][0].value == enums.ObjectType.SYMMETRIC_KEY, seen["Object Type"])
        expect(seen["Cryptographic Algorithm"][0].value == AES, seen["Cryptographic Algorithm"])
        expect(seen["Cryptographic Length"][0].value == 192, seen["Cryptographic Length"])
        expect(seen["Cryptographic Usage Mask"][0].value == 4 | 8, seen["Cryptographic Usage Mask"])
        expect(seen["Name"][0].name_value.value == self.name(1), seen["Name"])
        expect(seen["State"][0].value == enums.State.PRE_ACTIVE, seen["State"])
        few = self.attributes(self.made[1], "Name", "Cryptographic Length")
        expect(set(few) == {"Name", "Cryptographic Length"}, few)

    def get_attribute_list(self):
        names = self.client.get_attribute_list(self.made[1])
        wanted = {"Unique Identifier", "Object Type", "Name", "Cryptographic Algorithm",
                  "Cryptographic Length", "Cryptographic Usage Mask", "State", "Initial Date"}
        expect(wanted <= set(names), wanted - set(names))
        expect(set(names) == set(self.attributes(self.made[1])), names)

    def modify_attribute(self):
        renamed = self.name("renamed")
        attribute = self.attribute(enums.AttributeType.NAME, renamed, 0)
        identifier, answer = self.client.modify_attribute(self.made[4], attribute=attribute)
        expect(identifier == self.made[4], identifier)
        expect(answer.attribute_value.name_value.value == renamed, answer)
        expect(self.locate_name(renamed) == [self.made[4]])
        expect(self.locate_name(self.name(4)) == [])

    def modify_read_only_attribute(self):
        attribute = Attribute(
            attribute_name=Attribute.AttributeName("Cryptographic Length"),
            attribute_value=primitives.Integer(128, enums.Tags.CRYPTOGRAPHIC_LENGTH))
        refused(lambda: self.client.modify_attribute(self.made[4], attribute=attribute))
        expect(self.attributes(self.made[4], "Cryptographic Length")["Cryptographic Length"][0].value == 256)

    def delete_attribute(self):
        identifier, deleted = self.client.delete_attribute(
            self.made[4], attribute_name="Name", attribute_index=0)
        expect(identifier == self.made[4], identifier)
        expect(deleted.attribute_value.name_value.value == self.name("renamed"), deleted)
        expect("Name" not in self.attributes(self.made[4]))
        expect(self.locate_name(self.name("renamed")) == [])

    def delete_read_only_attribute(self):
        refused(lambda: self.client.delete_attribute(self.made[4], attribute_name="State"))
        expect(self.state(self.made[4]) == enums.State.PRE_ACTIVE)

    def activate(self):
        self.client.activate(self.made[0])
        expect(self.state(self.made[0]) == enums.State.ACTIVE)
        refused(lambda: self.client.activate(self.made[0]))
        active = [self.attribute(enums.AttributeType.NAME, self.name(0)),
                  self.attribute(enums.AttributeType.STATE, enums.State.ACTIVE)]
        expect(self.client.locate(attributes=active) == [self.made[0]])

    def destroy_of_an_active_key_is_refused(self):
        refused(lambda: self.client.destroy(self.made[0]))
        expect(len(self.client.get(self.made[0]).value) == 16)

    def revoke(self):
        self.client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, self.made[0], "no longer used")
        expect(self.state(self.made[0]) == enums.State.DEACTIVATED)

    def revoke_compromised(self):
        self.client.activate(self.made[1])
        self.client.revoke(enums.RevocationReasonCode.KEY_COMPROMISE, self.made[1], "seen in a log",
                           compromise_occurrence_date=1700000000)
        expect(self.state(self.made[1]) == enums.State.COMPROMISED)

    def destroy(self):
        for identifier in self.made + [self.key, self.secret, self.opaque]:
            self.client.destroy(identifier)
        for index in (0, 1, 2, 3):
            expect(self.locate_name(self.name(index)) == [], index)

    def destroyed_objects_are_gone(self):
        for identifier in self.made + [self.secret, self.opaque]:
            refused(lambda: self.client.get(identifier))

    def unknown_objects_are_not_found(self):
        for call in (self.client.get, self.client.activate, self.client.destroy, self.client.get_attributes):
            refused(lambda: call("4711-no-such-object"), enums.ResultReason.ITEM_NOT_FOUND)

    ORDER = (query, discover_versions, create, get, register_symmetric_key, register_secret_data,
             register_opaque_object, locate_by_name, locate_by_object_type, locate_by_several_attributes,
             locate_pages, get_attributes, get_attribute_list, modify_attribute, modify_read_only_attribute,
             delete_attribute, delete_read_only_attribute, activate, destroy_of_an_active_key_is_refused, revoke,
             revoke_compromised, destroy, destroyed_objects_are_gone, unknown_objects_are_not_found)


def checks_of(version):
    """Discover Versions came with 1.1, and PyKMIP's client cannot read its refusal."""
    return [check for check in Checks.ORDER if version != "1.0" or check is not Checks.discover_versions]


def main():
    host, port, ca, certificate, key = sys.argv[1:6]
    versions = sys.argv[6:] or list(VERSIONS)
    # PyKMIP logs each refusal that a check expects.
    logging.disable(logging.CRITICAL)
    failed = 0
    for version in versions:
        with ProxyKmipClient(hostname=host, port=int(port), cert=certificate, key=key, ca=ca,
                             kmip_version=VERSIONS[version]) as client:
            checks = Checks(client, version)
            for check in checks_of(version):
                name = check.__name__.replace("_", " ")
                try:
                    check(checks)
                except Exception as error:
                    failed += 1
                    where = traceback.extract_tb(error.__traceback__)
                    line = next(f.lineno for f in reversed(where) if f.filename == __file__)
                    print("FAILED %s %s: line %d: %s: %s" % (version, name, line, type(error).__name__, error))
                else:
                    print("ok %s %s" % (version, name))
                sys.stdout.flush()
    print("%d failed" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

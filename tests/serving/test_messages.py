"""The messages of our own file are those of the protocol, and no stranger of the same name meets them."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from gyroscope.serving.messages import file_of, message, methods, pool

KINDS = descriptor_pb2.FieldDescriptorProto


def fields(name):
    found = pool().FindMessageTypeByName(f"inference.{name}").fields
    return {field.name: (field.number, field.type, field.is_repeated) for field in found}


def test_numbers_and_kinds_are_those_of_the_protocol():
    assert fields("ModelInferRequest") == {
        "model_name": (1, KINDS.TYPE_STRING, False),
        "model_version": (2, KINDS.TYPE_STRING, False),
        "id": (3, KINDS.TYPE_STRING, False),
        "parameters": (4, KINDS.TYPE_MESSAGE, True),
        "inputs": (5, KINDS.TYPE_MESSAGE, True),
        "outputs": (6, KINDS.TYPE_MESSAGE, True),
        "raw_input_contents": (7, KINDS.TYPE_BYTES, True),
    }
    contents = fields("InferTensorContents")
    assert [contents[name][:2] for name in ("int_contents", "uint_contents", "fp32_contents", "bytes_contents")] == [
        (2, KINDS.TYPE_INT32),
        (4, KINDS.TYPE_UINT32),
        (6, KINDS.TYPE_FLOAT),
        (8, KINDS.TYPE_BYTES),
    ]
    assert set(methods()) >= {
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelInfer",
    }


def test_a_message_travels_as_its_bytes():
    request = message("ModelInferRequest")(model_name="m", raw_input_contents=[b"\x00"])
    request.parameters["event_time"].string_param = "now"
    request.inputs.add(name="x", datatype="FP64", shape=[1, 2]).contents.fp64_contents.extend([1.5, 2.5])
    again = message("ModelInferRequest").FromString(request.SerializeToString())
    assert again == request
    assert again.parameters["event_time"].WhichOneof("parameter_choice") == "string_param"


def test_a_strangers_file_of_the_same_names_does_no_harm():
    foreign = descriptor_pb2.FileDescriptorProto(name="foreign.proto", package="inference", syntax="proto3")
    foreign.message_type.add(name="ModelInferRequest")
    descriptor_pool.Default().AddSerializedFile(foreign.SerializeToString())
    assert message("ModelInferRequest")(model_name="m").model_name == "m"


@pytest.mark.parametrize(
    ("text", "kind", "is_repeated"),
    [("string a = 1;", KINDS.TYPE_STRING, False), ("repeated bytes a = 1;", KINDS.TYPE_BYTES, True)],
)
def test_the_language_is_read(text, kind, is_repeated):
    file = file_of(f'// said\nsyntax = "proto3"; package p; message M {{ message N {{}} {text} }}')
    (field,) = file.message_type[0].field
    assert (file.package, field.type, field.label == field.LABEL_REPEATED) == ("p", kind, is_repeated)
    assert [one.name for one in file.message_type[0].nested_type] == ["N"]

"""The messages of the V2 protocol over gRPC, made from `inference.proto` when gRPC is served.

`grpc.py` and its dialect ask for classes by name. Reading the text takes a millisecond and spares a generated module
and the compiler that writes it. It reads the part of the language that the file uses, and nothing else.
"""

from __future__ import annotations

import re
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "inference.GRPCInferenceService"

_FILE = "inference.proto"
_TOKEN = re.compile(r'//[^\n]*|\s+|"[^"]*"|[\w.]+|[^\w\s]')


@cache
def pool() -> descriptor_pool.DescriptorPool:
    """Our own pool: a program that has this protocol from elsewhere too, such as a client's, keeps its own."""
    made = descriptor_pool.DescriptorPool()
    made.AddSerializedFile(file_of(Path(__file__).with_name(_FILE).read_text(encoding="utf-8")).SerializeToString())
    return made


@cache
def message(name: str) -> Any:
    """The class of one message, such as `ModelInferRequest`."""
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(f"inference.{name}"))


def methods() -> dict[str, str]:
    """The calls of the service, each with the name of its request."""
    return {method.name: method.input_type.name for method in pool().FindServiceByName(SERVICE).methods}


def file_of(text: str) -> Any:
    """The descriptor of a file in the language of protobuf 3.

    >>> file_of('package a; message B { repeated int64 c = 7; }').message_type[0].field[0].number
    7
    """
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, syntax="proto3")
    tokens = deque(token for token in _TOKEN.findall(text) if not token.isspace() and not token.startswith("//"))
    while tokens:
        word = tokens.popleft()
        if word == "message":
            _read_message(tokens, file.message_type.add())
        elif word == "service":
            _read_service(tokens, file.service.add())
        else:
            rest = _until(tokens, ";")
            if word == "package":
                file.package = rest[0]
    return file


def _read_message(tokens: deque[str], message: Any) -> None:
    message.name = tokens.popleft()
    tokens.popleft()
    while (word := tokens.popleft()) != "}":
        if word == "message":
            _read_message(tokens, message.nested_type.add())
        elif word == "oneof":
            message.oneof_decl.add(name=tokens.popleft())
            tokens.popleft()
            while (kind := tokens.popleft()) != "}":
                _read_field([kind, *_until(tokens, ";")], message).oneof_index = len(message.oneof_decl) - 1
        else:
            _read_field([word, *_until(tokens, ";")], message)


def _read_field(words: list[str], message: Any) -> Any:
    """`[repeated] kind name = number`, or `map<key, kind> name = number`."""
    field = message.field.add(name=words[-3], number=int(words[-1]), label=_LABEL.LABEL_OPTIONAL)
    if words[0] == "map":
        entry = message.nested_type.add(name=f"{field.name.title()}Entry")
        entry.options.map_entry = True
        _read_field([words[2], "key", "=", "1"], entry)
        _read_field([words[4], "value", "=", "2"], entry)
        words = ["repeated", entry.name]
    if words[0] == "repeated":
        field.label = _LABEL.LABEL_REPEATED
        words = words[1:]
    plain = f"TYPE_{words[0].upper()}"
    if plain in _LABEL.Type.keys():  # noqa: SIM118 - an enum of protobuf is no mapping
        field.type = _LABEL.Type.Value(plain)
    else:
        field.type, field.type_name = _LABEL.TYPE_MESSAGE, words[0]
    return field


def _read_service(tokens: deque[str], service: Any) -> None:
    service.name = tokens.popleft()
    tokens.popleft()
    while tokens.popleft() != "}":
        name, _, request, _, _, _, reply, *_ = _until(tokens, ";")
        service.method.add(name=name, input_type=request, output_type=reply)


def _until(tokens: deque[str], end: str) -> list[str]:
    words = []
    while (word := tokens.popleft()) != end:
        words.append(word)
    return words


_LABEL = descriptor_pb2.FieldDescriptorProto

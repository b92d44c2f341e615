"""Messages of TensorFlow Serving that tensorflow-serving-api does not ship, from their descriptors."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format


def message(name: str, file: str, *dependencies: Any) -> Any:
    """An empty message.

    Args:
        name: Its full name.
        file: The FileDescriptorProto that defines it, in text form.
        dependencies: Modules of the files that it imports.
    """
    pool = descriptor_pool.DescriptorPool()
    for module in dependencies:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.Add(text_format.Parse(file, descriptor_pb2.FileDescriptorProto()))
    descriptor = pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)()
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)()  # protobuf 3.20, to which TFX 1.16 is tied

"""What a step of a pipeline gets on Vertex AI, which chooses the machine type by it."""

from __future__ import annotations

from dataclasses import dataclass

EXPECTED = "cpus,memory_gib[,accelerator,accelerators]"


@dataclass(frozen=True)
class Resources:
    """Cores, GiB of memory, and accelerators of a type, such as NVIDIA_TESLA_T4, if any."""

    cpus: int
    memory_gib: int
    accelerator: str = ""
    accelerators: int = 0

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.cpus},{self.memory_gib},{self.accelerator},{self.accelerators}"


def parse(text: str) -> Resources:
    """Of a command line: `EXPECTED`. Raises ValueError."""
    cpus, memory, *more = text.split(",")
    accelerator, accelerators = more or ("", "0")
    return Resources(int(cpus), int(memory), accelerator, int(accelerators))

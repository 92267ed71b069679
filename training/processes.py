"""The processes that `accelerate launch --cpu --num_processes N` asks for: there, it starts one alone.

Without GPUs accelerate knows no launcher but `mpirun`, and takes it only where --mpirun_hostfile is given.
Else it runs one process, with MASTER_ADDR set if N is more than one; N itself stands in its command line
alone. torch's launcher then starts the N, as accelerate itself lets it do for several GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import psutil
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from accelerate.utils import get_cpu_distributed_information
from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from stegcli.errors import ExitCode


def wanted() -> int:
    """How many processes to start in place of this one; 1 where this is all, or one of several."""
    asked = os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ
    launcher = psutil.Process().parent()
    if not asked or launcher is None or get_cpu_distributed_information().world_size > 1:
        return 1
    return asked_of(launcher.cmdline())


def asked_of(command: Sequence[str]) -> int:
    """--num_processes of `accelerate launch` on one machine; 1 for any other command."""
    names = [Path(word).name for word in command[:3]]  # an interpreter may stand before the script
    if "accelerate-launch" in names:
        words = command[names.index("accelerate-launch") + 1 :]
    elif "launch" in names and names[names.index("launch") - 1].startswith("accelerate"):
        words = command[names.index("launch") + 1 :]
    else:
        return 1
    given = launch_command_parser().parse_args(words)
    default = load_config_from_file(given.config_file) if given.config_file else None
    machines = given.num_machines or getattr(default, "num_machines", None) or 1
    return (given.num_processes or getattr(default, "num_processes", None) or 1) if machines == 1 else 1


def start(count: int, arguments: Sequence[str]) -> int:
    """Run `stegcli ARGUMENTS` in `count` processes; the exit code of the first to fail."""
    try:
        run.main(["--standalone", "--nproc_per_node", str(count), "-m", "stegcli", *arguments])
    except SignalException:
        return ExitCode.INTERRUPTED
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    return ExitCode.DONE

"""Is the container's main process alive and running (not stopped, not a zombie)?

No call to Temporal: a worker is not ill because the server restarts. Whether jobs are served is
`longtake doctor`'s question.
"""

import sys
from pathlib import Path

STOPPED_OR_DEAD = "tTZX"  # proc_pid_stat(5)


def main_process() -> int:
    """Process 1, or the first child of the init that runs there (`init: true`)."""
    if Path("/proc/1/comm").read_text().startswith(("longtake", "python")):
        return 1
    children = Path("/proc/1/task/1/children").read_text().split()
    return min(map(int, children))


def state_of(pid: int) -> str:
    """State letter in `/proc/PID/stat`; the name before it may hold spaces and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


if __name__ == "__main__":
    sys.exit(1 if state_of(main_process()) in STOPPED_OR_DEAD else 0)

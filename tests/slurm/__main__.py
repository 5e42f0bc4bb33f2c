"""A sweep on a real Slurm.

    make test-slurm

starts munged, slurmctld and two slurmd on this machine, below a temporary folder, and stops them at the end. Debian has them
(``apt-get install slurmctld slurmd munge slurm-client``), and root starts them. The exit code is 0 if all is as it should be,
or if Slurm is not installed.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    from slurm.program import main

    sys.exit(main())

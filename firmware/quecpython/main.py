"""/usr/main.py: what QuecPython starts, and all that differs from other boards.

Our files lie in /usr, but the path holds only "", and the firmware runs no boot.py.
What follows is the same program as everywhere: main.py, which is called start.py here.
"""

PROJECT_NAME = "PointAccess"  # QPYcom merges no image without these two
PROJECT_VERSION = "0.1.0"

try:
    import usys
except ImportError:  # newer firmware
    import sys as usys

usys.path.append("/usr")

import boot  # noqa: E402, F401
import start  # noqa: E402, F401

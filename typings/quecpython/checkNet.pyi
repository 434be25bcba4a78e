"""Waiting for SIM, registration and data call. Which names there are depends on age."""

def waitNetworkReady(timeout: int = 60) -> tuple[int, int]:
    """(stage, state), (3, 1) being ready; `timeout` in seconds, 1 to 3600."""

def wait_network_connected(timeout: int = 60) -> tuple[int, int]:
    """The same in firmware of 2021 and 2022."""

class CheckNetwork:
    """The same before that."""

    def __init__(self, project_name: str, project_version: str) -> None: ...
    def wait_network_connected(self, timeout: int = 60) -> tuple[int, int]: ...

"""The network's file servers: FTP, FTPS and SFTP over the files that the simulated network shares with them."""

from .identity import ca_pem, host_key_line
from .servers import FileServers

__all__ = ["FileServers", "ca_pem", "host_key_line"]

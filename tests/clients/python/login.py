"""How the tours log in: as the environment says."""

import os

HOST = "127.0.0.1"
PORT = int(os.environ["TIDEGATE_PORT"])
USER = os.environ["TIDEGATE_USER"]
PASSWORD = os.environ["TIDEGATE_PASSWORD"]
DATABASE = os.environ["TIDEGATE_DATABASE"]
# The file with the authority to verify the server with; None for a login without TLS.
AUTHORITY = os.environ.get("TIDEGATE_CA")
# Whether to ask for compression, where the client can.
COMPRESS = "TIDEGATE_COMPRESS" in os.environ

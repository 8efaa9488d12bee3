"""A private voice assistant that understands spoken commands on the board itself, in noise."""

import os

# onnxruntime from 1.32 on keeps an identifier of the machine and sends events to its maker unless this says no. It
# reads it when it is first imported, which only modules of this package do.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

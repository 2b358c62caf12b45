"""The desk's jobs: importing this registers `kyc.verify` and `sms.send` with the outbox."""

from kyc.cases import verify
from kyc.sms import send

__all__ = ["send", "verify"]

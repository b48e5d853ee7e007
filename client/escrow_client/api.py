"""The clients as a library: a messenger, an agency's desk, and a person who holds a lock; all of them asynchronous.

    deployment = Deployment.open(Path("home"))
    profile = Profile.make(Path("alice"), "chat", "alice", deployment)
    async with Messenger.open(profile, deployment) as alice:
        await alice.register()
        await alice.send("bob", "Are you coming?", escrow=True)

What they refuse is an ``escrow.errors.EscrowError``, the same as on the command line.
"""

from escrow.cli.keys import Keys
from escrow_client.deployment import Deployment
from escrow_client.investigator import Investigator
from escrow_client.messenger import Messenger
from escrow_client.official import Official
from escrow_client.profile import Profile

__all__ = ["Deployment", "Investigator", "Keys", "Messenger", "Official", "Profile"]

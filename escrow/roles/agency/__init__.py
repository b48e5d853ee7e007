"""An agency: the investigators' tool. It applies, asks for releases under a warrant, and opens what it is given.

``role`` is the machine; ``commands`` what its users ask of it, ``applying`` how an application is written, ``asking``
how requests are made of what the relay produced, ``opening`` how shares become text, ``state`` what is kept.
"""

from escrow.roles.agency.role import Agency

__all__ = ["Agency"]

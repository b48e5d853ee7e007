"""Namespaces of TS 103 120 V1.12.1, with the prefixes under which they are written."""

from typing import Final
from xml.etree import ElementTree as ET

CORE: Final = "http://uri.etsi.org/03120/common/2019/10/Core"
COMMON: Final = "http://uri.etsi.org/03120/common/2016/02/Common"
AUTHORISATION: Final = "http://uri.etsi.org/03120/common/2020/09/Authorisation"
TASK: Final = "http://uri.etsi.org/03120/common/2020/09/Task"
DOCUMENT: Final = "http://uri.etsi.org/03120/common/2020/09/Document"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

PREFIXES: Final = {"core": CORE, "common": COMMON, "auth": AUTHORISATION, "task": TASK, "doc": DOCUMENT, "xsi": XSI}

for _prefix, _uri in PREFIXES.items():
    # What an ``xsi:type`` names must be declared under just this prefix.
    ET.register_namespace(_prefix, _uri)

"""RestrictAddressFamilies of a unit, where systemd does not run: the same filter of system calls, by hand."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
from collections.abc import Iterable

_NUMBER_OF_SOCKET = {"x86_64": 41, "aarch64": 198}
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD_WORD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL_WITH = 0x7FFF0000, 0x00050000
_EAFNOSUPPORT = 97
# Offsets in struct seccomp_data: the number of the call, and the low half of its first argument.
_NUMBER, _FIRST_ARGUMENT = 0, 16


def restrict_address_families(names: Iterable[str]) -> None:
    """Let this process and its children open sockets of these families only, named as in a unit (AF_INET). All others
    fail as under systemd. Cannot be undone. Raises OSError, and KeyError on a processor that is not known here."""
    allowed = [int(getattr(socket, name)) for name in names]
    last = len(allowed)
    program = [
        (_LOAD_WORD, 0, 0, _NUMBER),
        (_IF_EQUAL, 0, last + 2, _NUMBER_OF_SOCKET[platform.machine()]),
        (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT),
        *((_IF_EQUAL, last - place, 0, family) for place, family in enumerate(allowed)),
        (_RETURN, 0, 0, _FAIL_WITH | _EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    # Two jumps lead to the last instruction: from a call that is not socket(), and from each allowed family.
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    kept = ctypes.create_string_buffer(code)
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, ctypes.c_char_p(header), 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

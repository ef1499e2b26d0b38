# SPDX-License-Identifier: GPL-2.0-or-later
"""First messages of TLS and QUIC clients: from real clients, and made by hand as no client would."""

import ssl
from base64 import b64decode

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair

SERVER = ("192.0.2.1", 443)
V1, V2 = 1, 0x6B3343CF
ALPN, KEY_SHARE, ECH, ESNI = 16, 51, 0xFE0D, 0xFFCE


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, data)


def server_name(*names: bytes, kind: int = 0) -> bytes:
    entries = b"".join(bytes((kind,)) + vector(2, name) for name in names)
    return extension(0, vector(2, entries))


def protocols(*names: bytes) -> bytes:
    return extension(ALPN, vector(2, b"".join(vector(1, name) for name in names)))


def message(
    *extensions: bytes,
    version: bytes = b"\3\3",
    session: bytes = bytes(32),
    ciphers: bytes = b"\x13\1\x13\2",
    compressions: bytes = b"\0",
    behind: bytes = b"",
    plain: bool = False,
) -> bytes:
    """A ClientHello without records. `plain`: the kind that knows no extensions."""
    body = version + bytes(32) + vector(1, session) + vector(2, ciphers) + vector(1, compressions)
    return b"\1" + vector(3, body + (b"" if plain else vector(2, b"".join(extensions))) + behind)


def records(handshake: bytes, size: int = 16384, version: bytes = b"\3\1") -> bytes:
    parts = [handshake[at : at + size] for at in range(0, len(handshake), size)]
    return b"".join(b"\x16" + version + vector(2, part) for part in parts)


def from_openssl(
    name: str | None, *alpn: str, only: ssl.TLSVersion | None = None, ciphers: str = "DEFAULT"
) -> bytes:
    """What Python's own TLS client sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    if only is not None:
        context.minimum_version = context.maximum_version = only
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def quic_client(
    name: str | None = "www.example.com", *alpn: str, version: int = V1, id_size: int = 8
) -> QuicConnection:
    return QuicConnection(
        configuration=QuicConfiguration(
            is_client=True,
            server_name=name,
            alpn_protocols=list(alpn) or ["h3"],
            original_version=version,
            supported_versions=[version],
            connection_id_length=id_size,
        )
    )


def first_flight(client: QuicConnection) -> list[bytes]:
    client.connect(SERVER, now=0.0)
    return sent(client)


def sent(client: QuicConnection, now: float = 0.0) -> list[bytes]:
    return [datagram for datagram, _ in client.datagrams_to_send(now=now)]


def varint(number: int) -> bytes:
    """The shortest that holds it (RFC 9000 section 16)."""
    for prefix, size in enumerate((1, 2, 4, 8)):
        if number < 1 << 8 * size - 2:
            return (number | prefix << 8 * size - 2).to_bytes(size, "big")
    raise ValueError(number)


def crypto(offset: int, data: bytes) -> bytes:
    return b"\6" + varint(offset) + varint(len(data)) + data


def initial(
    *frames: bytes,
    version: int = V1,
    keyed: bytes = b"original",
    destination: bytes | None = None,
    source: bytes = b"",
    token: bytes = b"",
    number: int = 0,
    number_size: int = 1,
    size: int = 1200,
) -> bytes:
    """A sealed Initial, padded at its end to `size` bytes. `keyed`: the ID that its keys follow from."""
    payload = b"".join(frames)
    kind = 0xC0 if version == V1 else 0xD0
    start = bytes((kind | number_size - 1,)) + version.to_bytes(4, "big")
    start += vector(1, keyed if destination is None else destination) + vector(1, source)
    start += varint(len(token)) + token
    payload += bytes(max(0, size - len(start) - 2 - number_size - 16 - len(payload)))
    start += (0x4000 | number_size + len(payload) + 16).to_bytes(2, "big")
    pair = CryptoPair()
    pair.setup_initial(cid=keyed, is_client=True, version=version)
    return pair.encrypt_packet(start + number.to_bytes(number_size, "big"), payload, number)


# RFC 9001 appendix A.2: the client's Initial as it is sent
RFC_9001 = b64decode(
    """
    wAAAAAEIg5TI8D5RVwgAAESee5rsNNGxyY3XaJ+47BHSQrEj3JvYurk2tH2S7DVsC6t99ZdtJ81En2MwAJnzmRwmDsTGDRezH4Qp
    FXuzWhKCpkOo0iYsrWdQDK245zeMjrdTnsTUkF/tG+4fyKr7oXx1Dix6zgHmAF+A/LffYhIwyDcRs5ND+gKM6n9/tf+J6sIwgkmg
    IlIVXiNHtj1YxUV6/YTQXf/9sgOShEroEhVGgunPAS+QIabwvhfd0MIITc4l/5sGzeU10Pkgotsb82LCPlltEaT1ps85SIOKOuxO
    Fdr4UApu9p7E4/62sdmOYQrIt+w/r2rXYLe60dtLo0heipTcJQrj/bQe0V+2qOXroPw91gvI4wxcQoflOAXbBZrgZI2y9kJk7V45
    vi4g2C31ZtqN1ZmMyr2uBTBgrmx7Q3joRtKfN+17TqnsXYLnlht/JakyOFH2gdWCNjql+Jk39aZyWL9jrW8aCx2W29T63fzvxSZr
    pmEXIjlckGVWvlKv4/VlY2rRsX1Qi3PYdD7rUkviKz3LwsdGjVQRnHRoRJoT2OO5WBGhmPNJHePn/pQrMwQHq/gqTtfBsxFmOsaY
    kPQVcBWFPZHpIwN8InozzdXsKByj95xEVGudkMoA8GTJnj3ZeRHTn+nF0LI6IpojTLNhhsSBnoucWSdyZjIpHWpBghHMKWLiD+R/
    6z7fMw8sYDqdSMD8tWmdv+WJZCXFusSu6C5XqFqvTiUT5PBXlrB7ou5H2AUG+NLCXlD9FN5x5sQYVZMC+Tmw4avVdvJ5xLLg/rhc
    Hyj/GPWIkf/vEy7vL6CTRq7jPCjrEw/yj1t2aVMzQRMhGZbSABGhmOP8Qz+fJUEBCuF8G/ICWA9gR0cvs2hX/oQ7GfWYQAndwyQE
    ToR6T0oKs09xlZXeNyUtYjU2XpuEOSsGEIU0nXMgOkoT6W9UMuwP1KHuZazN1eOQTfVMHaUQsP8g3MDHf8ssDg62BcsFBNuHYyzz
    2LTa5ucFdp0d41QnASPLEUUO/GCsR2g9e40PgRNlVl/ZjEyOuTa8q40Gn8M72AGwOt6i4fvFqkY9CMoZiW0r9ZoHG4UebCOQUhcv
    KWv7XnJAR5CiGBAU87lKTpfRF7Q4EwNozDnbstGYBlrjmGVHkmzSFi9Aop8MPIdFwPUPujhS5WbURXXCnTmgPwzachmEtvRAWR81
    XhLUOf8VCqt2E0mdvUmtq8hnbu8COxW2W/xcoGlIEJ8j81DbghI1NeuKdDO9q8uQknGm7Ly1i5NqiM1Ojy5v9YABdfETJT2PqcqI
    hcL1UuZX3GA/JS4ajjCPdvC+eeL7j11fu+LjDsrdIgcjyMCuqAeM38s4aCY/+PCUAFTaSHgYk6fkmtWv9K8wDNgEprYnmrP/Ovtk
    SRyFGUqrdg1YpgZlT59EAOizhZE1b79kJayibchSRCWf8rGcQbn5bzyp7B3eQ02n0tOSuQXd89H5r5PRr1lQvUk/WqcxtAVt8xvS
    Z7a5CgeYMar1eb4KOQExN6rG1AT1GM/UaEBkfni/5wbKTPXpxUU+n3z9K4tMjRaaROVciNSpp/lHQkHiIa9EhgAYqwhWly4ZTNk0
    """
)

# RFC 9369 appendix A.2: the client's Initial as it is sent
RFC_9369 = b64decode(
    """
    12szQ88Ig5TI8D5RVwgAAESeoMlegv/me2q820KYtIXdBN6AYHG/A9zuv6Fi511slgWL2/sSfN/L+QM4jpmtBJ+aPdRCWuTQmSz/
    8Y7PD9tahC0JdHBS8XrCBT0h9XxdJQ8sTw4CArcHhbeUbpkuWKWaxS3qZ3TU8DtVVFJDzxoSg04/JJp405Xg0Y9NdmAE8aJnSAKn
    R+qpAcPxDNpVAMuRIvqp8d9mw5IHmhtA8N4cYFQZahHL6kCvtu9SU81oGPZiXvzjtt72un5LN6QPdzLgk9qn1SGQk1uNpYl2/zMS
    rlCxh8FDPA8CjtzEwoOLapv8ImyktFMOekzO4b+io9OWrlo/tRI4Sy/dhR94SmXgPyxPvhGlPHd3wCNGIjndb3Uho/bH1d0+ybPy
    M3c9S0bSPMN16xmMYzAcIYAfZSC8+3lm/Emzk/AGHZdKJwbfjEqUSfEdfz0ty7kMa4dwRWNufAwP5OsPaXVFRgyAaRDSw1Xx0lO8
    nSRSqqVJ4nofrHz07XfzIuj6iUtqg4EKNLNhkBdRpvXrZaAybgfefBIWzM4tAZP5WLs4UKgz965DK2W8WlOXXBVapLy097LE5U3x
    bvr23eqU4sULTNHf4GAX4OnQKQDP/hk14Ekdd/+0/fhSkP3Yk9V3sRMaYQ72pcMrLuApNhejfLsIuEd0HDuAF8JcqQUsoQedi3iu
    vUeHbTMKMPaoxtYd0atViTKd5xTRnWE3D4FJdIxy8TLw/JnzTXZsaThZcEDY+eK7Ui/5nGOjRNairoqo5Rt7kKSoBhBfy8oxUGxE
    YVGt/s61G5Gr/kOWCXfIdHHPmtQHTTDhDWp/A8Y71dQxf2j/MlujvYC/Tci1KgugMXWAIusCXN13C0TW1s8GcPTpkLIjR6fbhIJl
    4+Xrct/oKZrXSBpAgyLKxVeG5S9jOy+2thTq7RjXA92EBFonSui/pzN5ZhOI1pkf45sNk967QXALQfkKFcTVJiUCNd3NZ3b8d7yX
    56QX68sxYA0B5X8yFiqFYMrMfiegltN6GoaVLscb2Jo+mjCiomFimE13QPgRk+gjjmH2tbmE1NPfoDPBu35PADf+v0BtkcDczzKs
    9CPPoecHEBDT8nASG0k86FBU71i62kIxATj+CBrbBOK9kB8vE0WLPWdYFYGXEHwU67GTIwzRFXOAqnnK4TdKfB5bvLgO4j4G6/3i
    Br+w/LwO3E6+wwlmG92QjVMusMatw4t8pzMdzo3845q3Hnwy0xjRNrYQBnGhrmpmAOOJnzHw7tGeNBfRNLkMkFj4Yyx5jUSQ2kmH
    MHy6ki1hw5gF0HK1ib1S/fHoYhXC1U5mcOBzg6J7v/ta3fR9ZqqFoMb58y5Z2FpE3V07Itwr6AkZtJBDeuTzagrlXt8dC1y06aPs
    q+6T38bjjSCdD6ZTbSel1vuxdkHN4nUl1hCT8bKActERsrSuX4nVl07hLlz31dpNajESMEHzPmFAfnbP/Nz9fhm6WM9LU29MSTiu
    eTJNxAKJS0T6+K+6s1KCq2WdE8k/cEEuhcsZmjfd7GAFRUc8+1oF4I0LIJlzshcrTSH7aXRaJizN6Wuhiy+qdFtv4YnPdyqfhMv8
    """
)

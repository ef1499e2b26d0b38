# SPDX-License-Identifier: GPL-2.0-or-later
"""A DNS server for test_resolve that tells the truth, lies, is slow, talks nonsense, or says nothing at all.

Run inside a network namespace: it takes port 53 of 127.0.0.1, and of 127.0.0.2, where nobody ever answers.
Prints a line once it is there.
"""

import socket
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

UDP_ROOM = 1232
ZONE = """
1.100.51.198.in-addr.arpa. 300 PTR Honest.Example.
honest.example. 40 A 198.51.100.1
2.100.51.198.in-addr.arpa. 300 PTR hangs.example.
4.100.51.198.in-addr.arpa. 300 PTR big.example.
5.100.51.198.in-addr.arpa. 300 CNAME 5.0-25.100.51.198.in-addr.arpa.
5.0-25.100.51.198.in-addr.arpa. 200 PTR classless.example.
classless.example. 300 A 198.51.100.5
6.100.51.198.in-addr.arpa. 300 PTR evil\\032name\\010\\.com.example.
evil\\032name\\010\\.com.example. 300 A 198.51.100.6
7.100.51.198.in-addr.arpa. 300 PTR xn--bcher-kva.example.
xn--bcher-kva.example. 300 A 198.51.100.7
12.100.51.198.in-addr.arpa. 300 PTR liar.example.
liar.example. 300 A 198.51.100.1
13.100.51.198.in-addr.arpa. 300 CNAME loop.example.
loop.example. 300 CNAME 13.100.51.198.in-addr.arpa.
14.100.51.198.in-addr.arpa. 300 PTR liar.example.
14.100.51.198.in-addr.arpa. 300 PTR true.example.
true.example. 300 A 198.51.100.14
15.100.51.198.in-addr.arpa. 300 PTR .
5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 300 PTR six.example.
six.example. 300 AAAA 2001:db8::5
both.example. 30 A 198.51.100.20
both.example. 30 A 198.51.100.21
both.example. 20 AAAA 2001:db8::20
alias.example. 10 CNAME middle.example.
middle.example. 600 CNAME both.example.
half.example. 30 A 198.51.100.22
empty.example. 30 PTR both.example.
odd\\@label\\255.example. 30 A 198.51.100.23
"""
HANGING = {
    ("3.100.51.198.in-addr.arpa.", "PTR"), ("hangs.example.", "A"), ("hangs.example.", "AAAA"),
    ("half.example.", "AAAA"),
}  # fmt: skip
TRICKLING, FAILING, BABBLING, FORGED = (f"{n}.100.51.198.in-addr.arpa." for n in (9, 10, 11, 16))


def records() -> dict[tuple[dns.name.Name, str], dns.rrset.RRset]:
    """The zone, by owner and type."""
    lines = ZONE.split("\n")
    lines += [f"big.example. 300 A 198.51.{n >> 8}.{n & 255}" for n in range(25_500, 26_500)]
    lines += [f"8.100.51.198.in-addr.arpa. 300 PTR lie-{n}.example." for n in range(1000)]
    found: dict[tuple[dns.name.Name, str], dns.rrset.RRset] = {}
    for line in filter(None, lines):
        owner, ttl, kind, data = line.split(maxsplit=3)
        rrset = dns.rrset.from_text(owner, int(ttl), "IN", kind, data)
        if (rrset.name, kind) in found:
            found[rrset.name, kind].add(rrset[0])
        else:
            found[rrset.name, kind] = rrset
    return found


RECORDS = records()
OWNERS = {owner for owner, _ in RECORDS}


def answer(query: dns.message.Message) -> dns.message.Message:
    """What a sound resolver would say, with the whole chain of aliases."""
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA
    (question,) = query.question
    name, kind = question.name, dns.rdatatype.to_text(question.rdtype)
    for _ in range(4):
        if (rrset := RECORDS.get((name, kind))) is not None:
            reply.answer.append(rrset)
            break
        if (alias := RECORDS.get((name, "CNAME"))) is None:
            break
        reply.answer.append(alias)
        name = alias[0].target
    if name not in OWNERS:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    if question.name.to_text() == FAILING:
        reply.set_rcode(dns.rcode.SERVFAIL)
    return reply


def serve_udp(server: socket.socket) -> None:
    while True:
        data, peer = server.recvfrom(4096)
        query = dns.message.from_wire(data)
        name, kind = query.question[0].name.to_text(), dns.rdatatype.to_text(query.question[0].rdtype)
        if (name, kind) in HANGING:
            continue
        if name == BABBLING:
            server.sendto(data[:2] + b"\x81\x80" + b"\xff" * 60, peer)
            continue
        reply = answer(query)
        if name == FORGED:  # somebody who has not seen the question
            reply.id ^= 1
        wire = reply.to_wire(max_size=65535)
        if len(wire) > UDP_ROOM or name == TRICKLING:
            reply.answer = []
            reply.flags |= dns.flags.TC
            wire = reply.to_wire()
        server.sendto(wire, peer)


def serve_tcp(client: socket.socket) -> None:
    length = int.from_bytes(client.recv(2), "big")
    query = dns.message.from_wire(client.recv(length))
    wire = answer(query).to_wire(max_size=65535)
    whole = len(wire).to_bytes(2, "big") + wire
    if query.question[0].name.to_text() != TRICKLING:
        client.sendall(whole)
        return
    for byte in whole:
        time.sleep(0.3)
        client.send(bytes([byte]))


def main() -> None:
    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind(("127.0.0.2", 53))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 53))
    threading.Thread(target=serve_udp, args=(udp,), daemon=True).start()
    with socket.create_server(("127.0.0.1", 53)) as tcp:
        print("ready", flush=True)
        while True:
            client, _ = tcp.accept()
            threading.Thread(target=serve_tcp, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()

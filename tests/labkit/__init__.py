"""What the end-to-end tests, tests/lab and tests/demo are made of.

    proc      start and stop processes by their id
    netns     network namespaces, devices, sockets inside a namespace
    peers     run the servers unpacked by tests/peers
    dovecot   a private Dovecot: LMTP, IMAPS, Maildir
    sink      a store that keeps nothing, for mail at full rate
    relay     an SMTP server that keeps what it takes
    postfix   a private Postfix, started as it is configured
    nsd       a private authoritative name server for `dns: {forward: ...}`
    senders   the domains that send to the lab: keys, zone, signed mail
    gateway   posternd under test: configuration, start, stop
    lab       all of it together: the topology that `tests/lab up` makes
    smtp      an SMTP client that can misbehave
    ip        IPv4, IPv6, ICMP, ARP and NDP by hand
    packets   TCP segments by hand, from an address that no kernel has
    tcp_server  our TCP, and the kernel's, under the commands of docs/tcp-server.md
    scripts   one connection of a raw peer, for either of the two
    results   a strict reader of Authentication-Results
    seal      messages sealed and signed by our own tool
    trouble_dns  a name server that gives trouble
    tap       test results (Test Anything Protocol)
"""

#!/usr/bin/env python3
"""A file as a C array: embed.py IN OUT.c NAME"""
import sys

source, target, name = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read()
lines = [", ".join(map(str, data[i:i + 24])) for i in range(0, len(data), 24)]
with open(target, "w", encoding="ascii") as file:
    # An ELF file is read in place, as 64-bit words.
    file.write("#include \"dataplane/port/port_xsk_program_priv.h\"\n\n"
               f"_Alignas(8) const unsigned char {name}[] = {{\n" + ",\n".join(lines) + "\n};\n"
               f"const unsigned long {name}_len = sizeof({name});\n")

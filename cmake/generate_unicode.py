"""Writes the Unicode tables of include/knnbert/text from the Unicode Character Database.

    generate_unicode.py UCD OUTPUT

UCD holds one folder a version, with files as in https://www.unicode.org/Public/VERSION/ucd/:
    8.0.0/UnicodeData.txt                                 categories: punctuation, marks, control characters
    9.0.0/UnicodeData.txt, DerivedNormalizationProps.txt  decompositions, compositions and combining classes
    16.0.0/UnicodeData.txt, DerivedCoreProperties.txt     word characters (\\w of UTS 18), letters and numbers (\\p{L}, \\p{N})
    17.0.0/UnicodeData.txt, SpecialCasing.txt             lower case, white space
    17.0.0/GraphemeBreakProperty.txt, emoji-data.txt, DerivedCoreProperties.txt      grapheme clusters
The four versions are those of tokenizers 0.23, whose parts are built on different libraries; comparing all code points
with that program (tests/reference/tokens.py) shows it when a later release moves to another version.
"""

import sys
from pathlib import Path

CODE_POINTS = 0x110000
WIDTH = 120
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic, not by table

# As in unicode.hpp.
DROPPED, SPACE, PUNCTUATION, CHINESE, MARK, DECOMPOSES, UPPER = (1 << bit for bit in range(7))

# The blocks that BERT calls Chinese; its list, not a property of Unicode (it misses 2B820..2B91F, for instance).
CHINESE_BLOCKS = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
                  (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]


def lines(path):
    """Fields of each line, without comments."""
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = [field.strip() for field in line.split("#")[0].split(";")]
        if len(fields) > 1:
            yield fields


def code_range(field):
    """Code points of FIRST or FIRST..LAST."""
    first, _, last = field.partition("..")
    return range(int(first, 16), int(last or first, 16) + 1)


class Database:
    """UnicodeData.txt of one version: category, combining class, decomposition and lower case by code point."""

    def __init__(self, folder):
        self.category = ["Cn"] * CODE_POINTS
        self.combining_class, self.decomposition, self.compatibility, self.lower = {}, {}, {}, {}
        first = None
        for fields in lines(folder / "UnicodeData.txt"):
            code, name = int(fields[0], 16), fields[1]
            if name.endswith(", First>"):
                first = code
                continue
            for member in range(code if first is None else first, code + 1):
                self.category[member] = fields[2]
            first = None
            if fields[3] != "0":
                self.combining_class[code] = int(fields[3])
            if fields[5]:
                kind = self.compatibility if fields[5].startswith("<") else self.decomposition
                kind[code] = [int(part, 16) for part in fields[5].split("> ")[-1].split()]
            if fields[13] and int(fields[13], 16) != code:
                self.lower[code] = int(fields[13], 16)


def properties(categories, decompositions, casing):
    """One set of flags a code point."""
    sets = []
    for code in range(CODE_POINTS):
        category = categories.category[code]
        is_line_break = code in (0x09, 0x0A, 0x0D)
        flags = 0
        if (category in ("Cc", "Cf", "Co") and not is_line_break) or code == 0xFFFD:
            flags |= DROPPED
        if casing.category[code] in ("Zs", "Zl", "Zp") or 0x09 <= code <= 0x0D or code == 0x85:
            flags |= SPACE
        if category[0] == "P" or (code < 0x80 and category[0] == "S"):
            flags |= PUNCTUATION
        if any(first <= code <= last for first, last in CHINESE_BLOCKS):
            flags |= CHINESE
        if category == "Mn":
            flags |= MARK
        if code in decompositions.decomposition or code in decompositions.combining_class or code in HANGUL:
            flags |= DECOMPOSES
        if code in casing.lower:
            flags |= UPPER
        sets.append(flags)
    return sets


def ranges(codes):
    """Sorted code points as [first, last]."""
    found = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def case_ranges(lower):
    """[first, last, stride, difference] of code points whose lower case is at the same distance."""
    found = []
    for code in sorted(lower):
        difference = lower[code] - code
        if found and found[-1][3] == difference:
            first, last, stride, _ = found[-1]
            if code - last in ((1, 2) if first == last else (stride,)):
                found[-1][1:3] = code, code - last
                continue
        found.append([code, code, 1, difference])
    return found


def class_ranges(classes):
    """[first, last, class] of neighbors of equal combining class."""
    found = []
    for code in sorted(classes):
        if found and found[-1][1] == code - 1 and found[-1][2] == classes[code]:
            found[-1][1] = code
        else:
            found.append([code, code, classes[code]])
    return found


def split(table, size):
    """Blocks of a table, each kept once, and the index of the block at every place."""
    blocks = {}
    index = [blocks.setdefault(tuple(table[at:at + size]), len(blocks)) for at in range(0, len(table), size)]
    return list(blocks), index


def wrapped(items, separator=","):
    """Items in lines of at most WIDTH characters."""
    line, out = "", []
    for item in items:
        if len(line) + len(item) + len(separator) > WIDTH - 2:
            out.append(line)
            line = ""
        line += item + separator
    return out + [line]


def array(declaration, items, about):
    body = ["  " + line for line in wrapped(items)]
    return [f"/// {about}", f"inline constexpr {declaration} = {{", *body, "};", ""]


def records(rows):
    return ["{" + ",".join(map(str, row)) + "}" for row in rows]


def write(path, versions, body):
    head = ["#pragma once", "// Generated by cmake/generate_unicode.py from the Unicode Character Database,",
            f"// version {versions}.", "// clang-format off", "#include <cstdint>", "", "namespace knnbert::inline v0_1::unicode {", ""]
    text = "\n".join(head + body + ["}  // namespace knnbert::unicode", ""])
    if max(map(len, text.splitlines())) > WIDTH or text.count("\n") > 300:
        sys.exit(f"{path.name}: {text.count(chr(10))} lines of at most {max(map(len, text.splitlines()))} characters")
    path.write_text(text, encoding="ascii")


def write_properties(folder, sets):
    distinct = sorted(set(sets))
    blocks, index = split([chr(ord("A") + distinct.index(flags)) for flags in sets], 64)
    rows, planes = split(index, 64)
    if len(distinct) > 26 or len(blocks) > 256 or len(rows) > 256:
        sys.exit("the property table does not fit its types")
    body = array(f"std::uint8_t property_sets[{len(distinct)}]", map(str, distinct),
                 "Flags that each letter stands for.")
    body += array(f"std::uint8_t property_rows[{len(planes)}]", map(str, planes), "Row of each 4096 code points.")
    body += array(f"std::uint8_t property_blocks[{len(rows) * 64}]", (str(block) for row in rows for block in row),
                  "Rows: block of each 64 code points.")
    letters = "".join(letter for block in blocks for letter in block)
    body += ["/// Blocks: a letter for each code point.", "inline constexpr char property_letters[] ="]
    body += [f'  "{letters[at:at + WIDTH - 8]}"' for at in range(0, len(letters), WIDTH - 8)]
    body[-1] += ";"
    versions = "8.0.0 (categories), 9.0.0 (decompositions), 17.0.0 (case, white space)"
    write(folder / "unicode_property_table.hpp", versions, body + [""])


def write_decompositions(folder, database):
    single = sorted((code, parts[0]) for code, parts in database.decomposition.items() if len(parts) == 1)
    pairs = sorted((code, *parts) for code, parts in database.decomposition.items() if len(parts) == 2)
    assert len(single) + len(pairs) == len(database.decomposition)
    assert not any(second in database.decomposition for _, _, second in pairs)

    def depth(code):
        return 1 + depth(database.decomposition[code][0]) if code in database.decomposition else 0
    assert max(map(depth, database.decomposition)) <= 3  # the length of the stack in unicode.hpp

    body = ["struct Replacement { char32_t code, by; };", ""]
    body += array(f"Replacement replacements[{len(single)}]", records(single),
                  "Sorted; the canonical equivalent of a character.")
    write(folder / "unicode_replacement_table.hpp", "9.0.0", body)
    body = ["struct Composition { char32_t code, first, second; };", ""]
    body += array(f"Composition compositions[{len(pairs)}]", records(pairs),
                  "Sorted; one step of decomposition: the first part may decompose further, the second does not.")
    write(folder / "unicode_composition_table.hpp", "9.0.0", body)


def write_classes(folder, database):
    rows = class_ranges(database.combining_class)
    body = ["struct ClassRange { char32_t first, last; std::uint8_t combining_class; };", ""]
    body += array(f"ClassRange class_ranges[{len(rows)}]", records(rows),
                  "Sorted; canonical combining classes other than 0.")
    write(folder / "unicode_class_table.hpp", "9.0.0", body)


def compatibility_runs(full):
    """[first, last, stride, text]: code points that have the same text, or texts whose first character counts up."""
    found = []
    for code in sorted(full):
        text = full[code]
        if found:
            first, last, stride, start = found[-1]
            step = text[0] - start[0]
            steps = (0, 1) if stride is None else (stride * (code - first),)
            if last == code - 1 and text[1:] == start[1:] and step in steps:
                found[-1][1:3] = code, step if stride is None else stride
                continue
        found.append([code, code, None, text])
    return found


def write_compatibility(folder, full):
    """Of characters whose compatibility decomposition is not the canonical one, the whole decomposition."""
    runs, pool = compatibility_runs(full), []
    for text in sorted({tuple(run[3]) for run in runs}, key=lambda text: (-len(text), text)):
        if not any(tuple(pool[at:at + len(text)]) == text for at in range(len(pool))):
            pool += text
    about = "Sorted: first; (count * 2 + whether texts count up) * 32 + length; place."
    for name, title, plane in (("", "below U+10000", 0), ("wide_", "from U+10000 on, less that", 1)):
        rows = [(first & 0xFFFF, ((last - first + 1) * 2 + (stride or 0)) * 32 + len(text),
                 next(at for at in range(len(pool)) if tuple(pool[at:at + len(text)]) == tuple(text)))
                for first, last, stride, text in runs if first >> 16 == plane]
        assert max(max(row) for row in rows) < 0x10000
        body = array(f"std::uint16_t {name}compatibility_runs[3 * {len(rows)}]", (",".join(map(str, row)) for row in rows),
                     f"Characters {title}. {about}")
        if plane:
            body = array(f"std::uint16_t compatibility_texts[{len(pool)}]", map(str, pool), "Decompositions.") + body
        write(folder / f"unicode_{name}compatibility_table.hpp", "9.0.0", body)


def write_composed(folder, database, excluded):
    pairs = sorted(code for code, parts in database.decomposition.items() if len(parts) == 2)
    order = sorted((place for place, code in enumerate(pairs) if code not in excluded),
                   key=lambda place: database.decomposition[pairs[place]])
    body = array(f"std::uint16_t composition_order[{len(order)}]", map(str, order),
                 "Places in compositions of those that compose, by their parts.")
    starters = sorted({parts[1] for code, parts in database.decomposition.items()
                       if len(parts) == 2 and code not in excluded and parts[1] not in database.combining_class})
    body += array(f"char32_t composing_starters[{len(starters)}]", map(str, starters),
                  "Sorted; second parts without a combining class.")
    write(folder / "unicode_composed_table.hpp", "9.0.0", body)


def whole_decomposition(code, database):
    parts = database.decomposition.get(code) or database.compatibility.get(code)
    return [last for part in parts for last in whole_decomposition(part, database)] if parts else [code]


def uses_compatibility(code, database):
    return code in database.compatibility or any(uses_compatibility(part, database)
                                                 for part in database.decomposition.get(code, ()))


def write_case(folder, database, special):
    changed = {code: mapping for code, mapping in special.items() if len(mapping) > 1}
    assert changed == {0x130: [0x69, 0x307]}  # unicode.hpp spells it out
    rows = case_ranges(database.lower)
    body = ["struct CaseRange { char32_t first, last; std::uint8_t stride; std::int32_t difference; };", ""]
    body += array(f"CaseRange case_ranges[{len(rows)}]", records(rows),
                  "Sorted; every stride-th code point from first to last has a lower case at that difference.")
    write(folder / "unicode_case_table.hpp", "17.0.0", body)


def write_words(folder, database, alphabetic):
    codes = {code for code in range(CODE_POINTS)
             if code in alphabetic or database.category[code][0] == "M" or database.category[code] in ("Nd", "Pc")}
    rows = ranges(codes | {0x200C, 0x200D})
    body = ["struct CodeRange { char32_t first, last; };", ""]
    body += array(f"CodeRange word_ranges[{len(rows)}]", records(rows),
                  "Sorted; letters, marks, decimal digits, connectors, joiners.")
    write(folder / "unicode_word_table.hpp", "16.0.0", body)


def write_letters(folder, database):
    found = []
    for letter, first_of_category in ((1, "L"), (0, "N")):
        codes = (code for code in range(CODE_POINTS) if database.category[code][0] == first_of_category)
        found += [[*pair, letter] for pair in ranges(codes)]
    found.sort()
    body = ["struct LetterRange { char32_t first, last; bool is_letter; };", ""]
    body += array(f"LetterRange letter_ranges[{len(found)}]", records(found),
                  "Sorted; letters (categories L*) and numbers (N*).")
    write(folder / "unicode_letter_table.hpp", "16.0.0", body)


def write_graphemes(folder, members):
    """Ranges of the classes that unicode_grapheme.hpp names in this order; Hangul syllables are told by arithmetic."""
    names = ("Control", "Extend", "Linker", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark", "L", "V", "T",
             "Extended_Pictographic", "Consonant")
    kind = {}
    for number, name in enumerate(names, 1):
        kind.update((code, number) for code in members[name] if name != "Linker" or code in members["Extend"])
    rows = class_ranges(kind)
    body = ["struct GraphemeRange { char32_t first, last; std::uint8_t kind; };", ""]
    body += array(f"GraphemeRange grapheme_ranges[{len(rows)}]", records(rows),
                  "Sorted; classes other than 0 but LV and LVT, numbered as in unicode_grapheme.hpp.")
    write(folder / "unicode_grapheme_table.hpp", "17.0.0", body)


def members_of(folder):
    """Code points by the properties that grapheme clusters depend on."""
    members = {}
    for name in ("GraphemeBreakProperty", "emoji-data", "DerivedCoreProperties"):
        for fields in lines(folder / f"{name}.txt"):
            if fields[1:] != ["InCB", "Extend"]:
                members.setdefault(fields[-1], set()).update(code_range(fields[0]))
    return members


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, output = map(Path, sys.argv[1:])
    versions = ("8.0.0", "9.0.0", "16.0.0", "17.0.0")
    categories, decompositions, words, casing = (Database(source / version) for version in versions)
    alphabetic = set()
    for fields in lines(source / "16.0.0" / "DerivedCoreProperties.txt"):
        if fields[1] == "Alphabetic":
            alphabetic.update(code_range(fields[0]))
    special = {int(fields[0], 16): [int(part, 16) for part in fields[1].split()]
               for fields in lines(source / "17.0.0" / "SpecialCasing.txt") if not any(fields[4:])}
    write_properties(output, properties(categories, decompositions, casing))
    write_decompositions(output, decompositions)
    write_classes(output, decompositions)
    write_case(output, casing, special)
    write_words(output, words, alphabetic)
    write_letters(output, words)
    write_compatibility(output, {code: whole_decomposition(code, decompositions) for code in range(CODE_POINTS)
                                 if uses_compatibility(code, decompositions)})
    excluded = {code for fields in lines(source / "9.0.0" / "DerivedNormalizationProps.txt")
                if fields[1] == "Full_Composition_Exclusion" for code in code_range(fields[0])}
    write_composed(output, decompositions, excluded)
    write_graphemes(output, members_of(source / "17.0.0"))


if __name__ == "__main__":
    main()

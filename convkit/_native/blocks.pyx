"""Whether the data of a JPEG come to its last block: Huffman codes are followed, and only counted (ITU-T T.81, annexes F
and G). Of a progressive one, whether the scans that first tell its blocks' means do: without those, they are gray.
"""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memset

from .markers cimport (
    END_OF_IMAGE,
    HUFFMAN_TABLES,
    PROGRESSIVE,
    RESTART_EVERY,
    START_OF_SCAN,
    is_frame,
    next_marker,
    two,
    units,
)

cdef enum:
    COEFFICIENTS = 64
    LONGEST = 16                # bits of a code
    QUICK = 10                  # bits that most codes do not have more of
    TABLES = 4                  # of each of the two classes
    WHOLE = 0
    SHORT = 1
    DAMAGED = 2
    UNKNOWN = 3                 # of another kind, or of tables that only a decoder knows


cdef struct Table:
    uint16_t quick[1 << QUICK]  # by the first bits: the length of the code they begin with, its symbol; 0: a longer one
    int begin[LONGEST + 2]      # by length: the sixteen bits from which on there are codes of it
    const uint8_t* symbols[LONGEST + 1]  # by length


cdef struct Picture:
    int kind                    # the marker of its frame
    int height, width, components, interval
    int means                   # of so many components the means of blocks were told, in a progressive one
    const uint8_t* sampling     # three bytes for each component: its name, its sampling, its tables
    const uint8_t* told[2][TABLES]  # for each class and number: how many codes of each length, and their symbols
    Table tables[2][TABLES]


cdef struct Bits:
    const uint8_t* data
    Py_ssize_t at, end
    uint64_t held               # those that were not looked at yet, from the highest on
    int count


cdef inline void fill(Bits* bits) noexcept nogil:
    """Hold as many bits as there is room for, up to the next marker."""
    cdef uint8_t byte
    while bits.count <= 56 and bits.at < bits.end:
        byte = bits.data[bits.at]
        if byte == 0xFF:
            if bits.at + 1 >= bits.end or bits.data[bits.at + 1] != 0:
                break
            bits.at += 1
        bits.held |= <uint64_t>byte << (56 - bits.count)
        bits.count += 8
        bits.at += 1


cdef int longer(const Table* table, int code) noexcept nogil:
    """The length of the code that sixteen bits begin with, and its symbol; 0: no code begins so."""
    cdef int length
    for length in range(QUICK + 1, LONGEST + 1):
        if code < table.begin[length + 1]:
            return length << 8 | table.symbols[length][(code - table.begin[length]) >> (LONGEST - length)]
    return 0


cdef inline int symbol(Bits* bits, const Table* table) noexcept nogil:
    """The next symbol, its code and as many bits passed over as its lower half says; -1 - SHORT, -1 - DAMAGED."""
    cdef int length, found
    if bits.count < 2 * LONGEST:
        fill(bits)
    found = table.quick[bits.held >> (64 - QUICK)]
    if found == 0:
        found = longer(table, <int>(bits.held >> (64 - LONGEST)))
    length = (found >> 8) + (found & 15)
    if length > bits.count:
        return -1 - SHORT
    if found == 0:
        return -1 - (SHORT if bits.count < LONGEST else DAMAGED)
    bits.held <<= length
    bits.count -= length
    return found & 255


cdef int block(Bits* bits, const Table* first, const Table* others) noexcept nogil:
    """Pass over a block."""
    cdef int found = symbol(bits, first), k = 1
    while found >= 0 and k < COEFFICIENTS:
        found = symbol(bits, others)
        if found & 15 == 0 and found != 0xF0:  # the rest are zeros
            break
        k += (found >> 4) + 1
    return WHOLE if found >= 0 else -1 - found


cdef inline int mean(Bits* bits, const Table* first) noexcept nogil:
    """Pass over a block's mean, of a scan that brings no more."""
    cdef int found = symbol(bits, first)
    return WHOLE if found >= 0 else -1 - found


cdef bint unfold(const uint8_t* told, Table* table) noexcept nogil:
    """A table by the bits that codes begin with; whether its codes have room."""
    cdef int length, i, k, first, count, code = 0
    cdef const uint8_t* symbols = told + LONGEST
    memset(table.quick, 0, sizeof(table.quick))
    for length in range(1, LONGEST + 1):
        count = told[length - 1]
        table.begin[length], table.symbols[length] = code, symbols
        if code + (count << (LONGEST - length)) > 1 << LONGEST:
            return False
        for i in range(count if length <= QUICK else 0):
            first = (code >> (LONGEST - QUICK)) + (i << (QUICK - length))
            for k in range(first, first + (1 << (QUICK - length))):
                table.quick[k] = <uint16_t>(length << 8 | symbols[i])
        code += count << (LONGEST - length)
        symbols += count
    table.begin[LONGEST + 1] = code
    return True


cdef int note_tables(const uint8_t* body, Py_ssize_t length, Picture* picture) noexcept nogil:
    """Where the tables of a segment are."""
    cdef Py_ssize_t at = 0
    cdef int i, count
    while at + 1 + LONGEST <= length:
        count = 0
        for i in range(LONGEST):
            count += body[at + 1 + i]
        if body[at] >> 4 > 1 or body[at] & 15 >= TABLES or at + 1 + LONGEST + count > length:
            return DAMAGED
        picture.told[body[at] >> 4][body[at] & 15] = body + at + 1
        at += 1 + LONGEST + count
    return WHOLE


cdef int follow_scan(const uint8_t* header, Picture* picture, Bits* bits) noexcept nogil:
    """Pass over the blocks of a scan; of one that refines others, or brings no means, over nothing."""
    cdef int count = header[0], i, k, _k, which = 0, sampling, number, found
    cdef bint progressive = picture.kind == PROGRESSIVE
    cdef int each[4]
    cdef const Table* first[4]
    cdef const Table* others[4]
    cdef Py_ssize_t unit, all_units
    if not 1 <= count <= 4:
        return DAMAGED
    if progressive and (header[1 + 2 * count] or header[3 + 2 * count] >> 4):
        return WHOLE
    picture.means += count
    for i in range(count):
        which = -1
        for k in range(picture.components):
            if picture.sampling[3 * k] == header[1 + 2 * i]:
                which = k
        if which < 0:
            return DAMAGED
        sampling = picture.sampling[3 * which + 1]
        each[i] = (sampling >> 4) * (sampling & 15) if count > 1 else 1
        for k in range(1 if progressive else 2):
            number = header[2 + 2 * i] >> (4 if k == 0 else 0) & 15
            if number >= TABLES:
                return DAMAGED
            if picture.told[k][number] == NULL:
                return UNKNOWN
            if not unfold(picture.told[k][number], &picture.tables[k][number]):
                return DAMAGED
            if k == 0:
                first[i] = &picture.tables[0][number]
            else:
                others[i] = &picture.tables[1][number]
    all_units = units(picture.height, picture.width, picture.components, picture.sampling, count, which)
    for unit in range(all_units):
        if picture.interval and unit and unit % picture.interval == 0:
            bits.at = next_marker(bits.data, bits.at, bits.end, True)
            if bits.at + 1 >= bits.end or not 0xD0 <= bits.data[bits.at + 1] <= 0xD7:
                return SHORT
            bits.at += 2
            bits.held, bits.count = 0, 0
        for i in range(count):
            for _k in range(each[i]):
                found = mean(bits, first[i]) if progressive else block(bits, first[i], others[i])
                if found != WHOLE:
                    return found
    return WHOLE


cdef int follow(const uint8_t* data, Py_ssize_t end, Picture* picture) noexcept nogil:
    """Pass over all blocks of all scans, or note the tables of what has none."""
    cdef Py_ssize_t at = 2, body, length
    cdef int code, found = WHOLE
    cdef Bits bits
    while found == WHOLE:
        at = next_marker(data, at, end, False)
        if at + 4 > end or data[at + 1] == END_OF_IMAGE:
            break
        code, body, length = data[at + 1], at + 4, two(data + at + 2) - 2
        at = body + length
        if length < 0 or at > end:
            return DAMAGED
        if code == HUFFMAN_TABLES:
            found = note_tables(data + body, length, picture)
        elif code == RESTART_EVERY and length >= 2:
            picture.interval = two(data + body)
        elif is_frame(code):
            if code > PROGRESSIVE:
                return UNKNOWN
            if length < 6 or length < 6 + 3 * data[body + 5] or data[body + 5] > 4 or picture.components:
                return DAMAGED
            picture.kind, picture.height, picture.width = code, two(data + body + 1), two(data + body + 3)
            picture.components, picture.sampling = data[body + 5], data + body + 6
        elif code == START_OF_SCAN:
            if not picture.components or length < 1 or length < 4 + 2 * data[body]:
                return DAMAGED
            bits.data, bits.at, bits.end, bits.held, bits.count = data, at, end, 0, 0
            found = follow_scan(data + body, picture, &bits)
            at = bits.at
            if picture.kind == PROGRESSIVE and picture.means >= picture.components:
                break
    return found


def followed(bytes data not None, Py_ssize_t at, Py_ssize_t size, Py_ssize_t tables_at, Py_ssize_t tables_size):
    """Whether the JPEG of `size` bytes of `data` at `at` could be followed block by block: one of Huffman codes. Its tables
    may be in another, of `tables_size` bytes at `tables_at`.

    `ValueError` where its data end before its last block, or where no block is so.
    """
    cdef Picture picture
    cdef int found = WHOLE
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data)
    if min(at, size, tables_at, tables_size) < 0 or max(at + size, tables_at + tables_size) > len(data):
        raise ValueError("it lies behind the end of the file")
    memset(&picture, 0, sizeof(picture))
    with nogil:
        if tables_size:
            found = follow(start + tables_at, tables_size, &picture)
        if found == WHOLE:
            found = follow(start + at, size, &picture)
    if found == SHORT:
        raise ValueError("its data end before its picture")
    if found == DAMAGED:
        raise ValueError("its data are no blocks")
    return found == WHOLE

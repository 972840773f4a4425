# SPDX-License-Identifier: MIT
"""
The kernel command line, in one encoding for every way of booting.

GRUB takes words and joins them by spaces; a word with a space in it is put in
double quotes, and a backslash goes before each ', " and \\ (GRUB does this
by itself and it cannot be turned off).  A direct boot passes bytes as they
are, so encode() does what GRUB does, and the kernel decodes one language:
spaces separate, "..." groups, a backslash takes the next character as it is.
"""


def split(text):
    """
    Divide @text into words.  Only double quotes group, and a backslash is
    special only before a double quote or another backslash; everything else,
    an unpaired double quote included, stands for itself.
    """
    words = []
    word = None
    quoted = False
    i = 0
    while i < len(text):
        char = text[i]
        if char == '\\' and text[i + 1:i + 2] in ('"', '\\'):
            i += 1
            word = (word or '') + text[i]
        elif char == '"' and (quoted or _closes(text, i + 1)):
            quoted = not quoted
            word = word or ''
        elif char.isspace() and not quoted:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or '') + char
        i += 1
    if word is not None:
        words.append(word)
    return words


def _closes(text, start):
    """True if there is an unescaped double quote in @text from @start on."""
    i = start
    while i < len(text):
        if text[i] == '\\':
            i += 1
        elif text[i] == '"':
            return True
        i += 1
    return False


def encode(words):
    """Join @words as GRUB would."""
    out = []
    for word in words:
        safe = ''.join('\\' + c if c in '\\\'"' else c for c in word)
        out.append(f'"{safe}"' if ' ' in word else safe)
    return ' '.join(out)


def grub_quote(word):
    """@word as one literal word of a GRUB script."""
    plain = set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
                '0123456789_-./=,:+@%')
    if word and set(word) <= plain:
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def with_init(words, name, args):
    """Add init=@name and its @args to the kernel's @words."""
    before, after = words, []
    if '--' in words:
        at = words.index('--')
        before, after = words[:at], words[at + 1:]
    tail = after + list(args)
    return before + [f'init={name}'] + (['--'] + tail if tail else [])

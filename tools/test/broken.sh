#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Show that "make check" can fail: break one thing in a copy of the tree and
# demand that the step which is there for it says so.
#
# usage: tools/test/broken.sh test|locks|layer|cycle|format|doc [FOLDER]
set -eu

what=${1:?what to break}
copy=${2:-build/check/broken-$what}
cd "$(dirname "$0")/../.."
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -co --exclude-standard -z |
    tar -c --null -T - --ignore-failed-read 2>/dev/null | tar -x -C "$copy"
cd "$copy"
git init -q

# must_fail COMMAND...: what it prints goes to the file "said".
must_fail() {
    if "$@" >said 2>&1; then
        cat said
        echo "broken.sh: passed, but must not: $*"
        exit 1
    fi
}

must_say() {
    if ! grep -q -- "$1" said; then
        cat said
        echo "broken.sh: did not say: $1"
        exit 1
    fi
}

# boot_test [VARIABLE=VALUE...]: build, and run the tests broken.*.
boot_test() {
    make -s -j2 NODEPS=1 "$@" >/dev/null
    folder=$(make -s print-build-dir NODEPS=1 "$@")
    status=0
    tools/run --kernel "$folder/portolan.elf" --quiet --timeout 300 \
        --append 'test=broken.*,list.* exit' --serial log || status=$?
    if [ $status != 1 ] && [ $status != 2 ]; then
        cat log
        echo "broken.sh: tools/run ended with $status"
        exit 1
    fi
    must_fail tools/ktap.py log --status $status
}

mkdir -p test/kern
victim=$(ls lib/*.c | head -n 1)
case $what in
test)
    cat >test/kern/broken_test.c <<'END'
/* SPDX-License-Identifier: MIT */
#include <test/test.h>

TEST(broken, on_purpose)
{
    EXPECT_EQ(1 + 1, 3);
}
END
    boot_test
    must_say 'not ok broken.on_purpose'
    must_say 'broken_test.c:6: '
    ;;
locks)
    cat >test/kern/broken_test.c <<'END'
/* SPDX-License-Identifier: MIT */
#include <kern/spinlock.h>
#include <test/test.h>

static struct spinlock outer = SPINLOCK_INITIALIZER(LOCK_TEST_OUTER, "outer");
static struct spinlock inner = SPINLOCK_INITIALIZER(LOCK_TEST_INNER, "inner");

TEST(broken, lock_order)
{
    uint64_t flags = spinlock_lock_irqsave(&inner);

    spinlock_lock(&outer);
    spinlock_unlock(&outer);
    spinlock_unlock_irqrestore(&inner, flags);
}
END
    boot_test DEBUG=1
    cp log said
    must_say outer
    ;;
layer)
    echo '#include <kern/init.h>' >>"$victim"
    must_fail tools/layers.py --root .
    must_say 'lib may not include kern'
    ;;
cycle)
    echo '#include <lib/zz_b.h>' >lib/zz_a.h
    echo '#include <lib/zz_a.h>' >lib/zz_b.h
    must_fail tools/layers.py --root .
    must_say 'headers include each other'
    ;;
format)
    echo 'int   x ;' >>"$victim"
    must_fail tools/style.py --root . --only format
    must_say "$victim.*clang-format"
    ;;
doc)
    echo 'int zz_undocumented(int x);' >>lib/status.h
    must_fail tools/style.py --root . --only doc
    must_say 'zz_undocumented() has no comment'
    ;;
*)
    echo "broken.sh: $what?" >&2
    exit 4
    ;;
esac
cd - >/dev/null
rm -rf "$copy"

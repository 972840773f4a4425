/* SPDX-License-Identifier: MIT */
/*
 * Shootdown: vm/shoot.c, vm/fault.c, vm/drop.c, vm/map.c, vm/change.c.
 *
 * The slot of one page, with its home and sharers; CPUs, each with a thread
 * that writes to the page and has faults, the page tables of its own that it
 * has where it is not the home, and a processor that keeps translations and
 * where tables are, and looks for them whenever it likes; one thread that
 * unmaps or protects the page, and may be moved meanwhile; one that drops
 * all page tables.  Claims: nobody writes to a page that was freed, or after
 * it was protected; no processor looks at a table that was freed, nothing is
 * entered into one; all come to an end.
 *
 * The interrupt of a shootdown has steps of its own, but nothing else of the
 * kernel happens on a CPU with interrupts disabled.  How calls get to CPUs is
 * model xcall's.  Groups of CPUs, ranges and rounds are left out.
 *
 * @run unmap: -DCPUS=2 -DWRITES=2 -DLOOKS=2 -DLOOKS_0=1
 * @run three: -DCPUS=3 -DWRITES=1 -DLOOKS=0 -DLOOKS_0=0
 * @run protect: -DCPUS=2 -DWRITES=2 -DLOOKS=2 -DLOOKS_0=1 -DPROTECT
 * @run drop: -DCPUS=2 -DWRITES=2 -DLOOKS=2 -DLOOKS_0=0 -DDROPS=1
 * @broken HOME_FORGOTTEN unmap: the CPU whose table is the node is not told
 * @broken SHARERS_OVERWRITTEN three: who enters a translation is the only sharer then
 * @broken NOTED_LATE unmap: a sharer is noted when the slot is unlocked already
 * @broken FREED_FIRST unmap: a page is freed before all have confirmed
 * @broken OWN_LATE unmap: which CPU has done its part is asked when the thread may have moved
 * @broken FLUSH_FIRST unmap: a CPU forgets translations before it clears its entries
 * @broken PRESENT_STAYS unmap: the slot of the home is not changed before the home is told
 * @broken PROTECT_SILENT protect: the slot is read-only, and nobody is told
 * @broken DROP_UNFLUSHED drop: tables are cut off, and where they are is kept
 * @broken DROP_FREED_FIRST drop: tables are freed before their CPU has confirmed
 * @broken DROP_LEAVES drop: who dropped a CPU's tables takes it out of the sharers
 * @broken FAULT_INTERRUPTED drop: interrupts come while a translation is entered
 */
#ifndef DROPS
#define DROPS 0
#endif
#define NONE   255
#define LINK   254
#define FRAMES (CPUS * WRITES + 1)
#define TABLES 4

#define bit(c) (1 << (c))

/* CPU 0 does what is needed once, the others come again. */
#define writes_of(c) ((c) == 0 -> 1 : WRITES)
#define looks_of(c)  ((c) == 0 -> LOOKS_0 : LOOKS)

/* The slot. */
bool locked;
bool mapped = true;
bool allowed = true;                    /* to write */
byte frame = NONE;
bool writable;
bool present;
byte home = NONE;
byte sharers;

byte nr_frames;
bool freed[FRAMES];
bool is_protected;                      /* space_protect() has returned */

/* Tables that are not nodes: what the entry of the page says. */
byte nr_tables = 1;
byte entry[TABLES] = NONE;
bool entry_writable[TABLES];
bool table_freed[TABLES];

/* CPUs */
bool irq_off[CPUS];
byte table[CPUS];                       /* of its own; 0: none */
bool linked[CPUS];
bool shoots[CPUS];                      /* interrupts under way */
bool drops[CPUS];
byte cut[CPUS];                         /* what a drop cut off */

/* What processors keep. */
byte kept_table[CPUS];                  /* 0, LINK, or a table */
byte tlb[CPUS] = NONE;
bool tlb_writable[CPUS];

byte nr_active = CPUS + 1 + DROPS;      /* threads */
bool is_over;                           /* nobody needs handlers any more */

inline irq_save(c) { atomic { !irq_off[c] -> irq_off[c] = true } }
inline irq_restore(c) { irq_off[c] = false }
inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }

inline flush(c) { atomic { tlb[c] = NONE; kept_table[c] = 0 } }

/* What a CPU does in a shootdown. */
inline forget(c)
{
#ifdef FLUSH_FIRST
    flush(c);
#endif
    if
    :: table[c] != 0 -> entry[table[c]] = NONE
    :: else
    fi;
#ifndef FLUSH_FIRST
    flush(c)
#endif
}

/* shoot_handle() */
proctype handler(byte c)
{
    do
    :: atomic { shoots[c] && !irq_off[c] -> irq_off[c] = true };
        forget(c);
        atomic { shoots[c] = false; irq_off[c] = false }
    :: atomic { drops[c] && !irq_off[c] -> irq_off[c] = true };
        atomic { cut[c] = table[c]; table[c] = 0; linked[c] = false }
#ifndef DROP_UNFLUSHED
        flush(c);
#endif
        atomic { drops[c] = false; irq_off[c] = false }
    :: is_over -> break
    od
}

/* A processor: looks for translations at any time. */
proctype processor(byte c)
{
    byte i;

    do
    :: i < looks_of(c) && !is_over ->
        i++;
        if
        :: atomic { kept_table[c] == 0 && linked[c] -> kept_table[c] = LINK }
        :: atomic { kept_table[c] == 0 && table[c] != 0 ->
                    kept_table[c] = table[c] }
        :: atomic { kept_table[c] == LINK && present ->
                    tlb[c] = frame; tlb_writable[c] = writable }
        :: atomic { kept_table[c] != LINK && kept_table[c] != 0 ->
                    assert(!table_freed[kept_table[c]]);
                    if
                    :: entry[kept_table[c]] != NONE ->
                        tlb[c] = entry[kept_table[c]];
                        tlb_writable[c] = entry_writable[kept_table[c]]
                    :: else
                    fi }
        :: is_over
        fi
    :: i == looks_of(c) || is_over -> break
    od
}

/* fault_enter_tables() where the CPU is not the home */
inline enter(c)
{
#ifndef NOTED_LATE
#ifdef SHARERS_OVERWRITTEN
    sharers = bit(c);
#else
    sharers = sharers | bit(c);
#endif
#endif
    atomic {
        if
        :: table[c] == 0 -> table[c] = nr_tables; nr_tables++
        :: else
        fi;
        v = table[c]
    }
    atomic {
        assert(!table_freed[v]);
        entry[v] = frame;
        entry_writable[v] = writable;
        v = 0
    }
}

/* space_fault(); the access is tried again after it, if that was allowed */
inline fault(c)
{
    lock();
    if
    :: !mapped || !allowed -> unlock(); goto end
    :: else
    fi;
    atomic {
        if
        :: frame == NONE -> frame = nr_frames; nr_frames++; writable = true
        :: else
        fi
    }
#ifndef FAULT_INTERRUPTED
    irq_save(c);
#endif
    atomic {
        if
        :: home == NONE -> home = c
        :: else
        fi;
        linked[c] = linked[c] || home == c
    }
    if
    :: home == c
    :: else -> enter(c)
    fi;
#ifndef FAULT_INTERRUPTED
    irq_restore(c);
#endif
    atomic { present = present || home == c; unlock() }
#ifdef NOTED_LATE
    if
    :: home != c -> sharers = sharers | bit(c)
    :: else
    fi
#endif
}

/* A thread that writes, on its CPU. */
proctype writer(byte c)
{
    byte i, v;

    do
    :: i < writes_of(c) ->
        i++;
        if
        :: atomic { !irq_off[c] && tlb[c] != NONE && tlb_writable[c] ->
                    assert(!freed[tlb[c]]);
                    assert(!is_protected) }
        :: atomic { !irq_off[c] && (tlb[c] == NONE || !tlb_writable[c]) ->
                    skip };
            fault(c)
        fi
    :: else -> break
    od;
end:
    atomic { i = 0; v = 0; nr_active-- }
}

/* Whether a translation is one that nobody has any more. */
#ifdef PROTECT
#define may_not(is_writable) (is_writable)
#else
#define may_not(is_writable) true
#endif

/* shoot_perform() for the CPUs of a set */
inline perform()
{
    irq_save(me);
    forget(me);
#ifdef OWN_LATE
    irq_restore(me);
#else
    atomic { set = set & ~bit(me); irq_off[me] = false }
#endif
    if
    :: me = 1 - me                              /* moved */
    :: skip
    fi;
#ifdef OWN_LATE
    set = set & ~bit(me);
#endif
    atomic {
        c = 0;
        do
        :: c < CPUS -> shoots[c] = (set & bit(c)) != 0; c++
        :: else -> break
        od;
        c = 0
    }
#ifdef FREED_FIRST
    freed[frame] = true;
#endif
    do
    :: c < CPUS -> !shoots[c]; c++
    :: else -> break
    od;
    atomic {
        set = 0;
        c = 0;
        do
        :: c < CPUS ->
            assert(tlb[c] != frame || !may_not(tlb_writable[c]));
            assert(table[c] == 0 || entry[table[c]] != frame ||
                   !may_not(entry_writable[table[c]]));
            c++
        :: else -> break
        od;
        c = 0
    }
}

/* shoot_take() or shoot_refresh() */
inline gather()
{
    atomic {
        set = sharers;
        sharers = 0;
        if
#ifndef HOME_FORGOTTEN
        :: present -> set = set | bit(home)
#endif
        :: else
        fi
    }
}

/* space_unmap() or space_protect(), by a thread that may be moved */
proctype owner()
{
    byte me, c, set;

    lock();
    if
    :: frame != NONE ->
#ifdef PROTECT
        atomic { allowed = false; writable = false }
#ifndef PROTECT_SILENT
        gather();
        perform();
#endif
#else
        gather();
#ifndef PRESENT_STAYS
        present = false;
#endif
        perform();
        atomic { present = false; freed[frame] = true; frame = NONE }
#endif
    :: else
    fi;
#ifdef PROTECT
    atomic { allowed = false; unlock(); is_protected = true }
#else
    atomic { mapped = false; unlock() }
#endif
    nr_active--
}

#if DROPS > 0
/* space_drop_tables() */
proctype dropper()
{
    byte c;

    do
    :: c < CPUS ->
#ifdef DROP_FREED_FIRST
        atomic { drops[c] = true; table_freed[table[c]] = table[c] != 0 }
        !drops[c];
#else
        drops[c] = true;
        !drops[c];
        table_freed[cut[c]] = cut[c] != 0;
#endif
#ifdef DROP_LEAVES
        sharers = sharers & ~bit(c);
#endif
        cut[c] = 0;
        c++
    :: else -> break
    od;
    nr_active--
}
#endif

init {
    byte c;

    atomic {
        for (c : 0 .. CPUS - 1) {
            run handler(c);
            run processor(c);
            run writer(c)
        }
        run owner();
#if DROPS > 0
        run dropper()
#endif
    }
    nr_active == 0;
    is_over = true;
    _nr_pr == 1
}

# SPDX-License-Identifier: MIT
#
# The schedule explorer: kernel modules, compiled for the host, run on
# simulated CPUs under many schedules.  Included by the top Makefile.
#
#   make host-explore [EXPLORE=GLOB] [SCHEDULES=N] [ACCESSES=N] [LEAST=N]
#                     [SEED=N]
#   make host-explore-broken [BROKEN=GLOB] [COMPARE=1] [SEED=N]
#
# test/explore/NAME_explore.c is a program of its own; what of the kernel it
# needs is listed here:
#
#   EXPLORE_SRC_name    explored: each shared access may switch
#   EXPLORE_PLAIN_name  only linked: what concerns one CPU alone

EXPLORE_SRC_litmus   :=
EXPLORE_SRC_spinlock :=
EXPLORE_SRC_xcall    := kern/xcall.c
EXPLORE_SRC_irq      := kern/irq.c
EXPLORE_SRC_timer    := kern/timer.c lib/rbtree.c
EXPLORE_SRC_thread   := $(filter-out %_cmd.c,$(wildcard kern/sched*.c)) \
                        $(addprefix kern/,thread.c thread_space.c timer.c \
                          turnstile.c waitq.c pass.c) lib/rbtree.c
EXPLORE_SRC_sched    := $(EXPLORE_SRC_thread)
EXPLORE_SRC_mutex    := $(EXPLORE_SRC_thread) kern/mutex.c
EXPLORE_SRC_rtmutex  := $(EXPLORE_SRC_thread) kern/rtmutex.c
EXPLORE_SRC_cond     := $(EXPLORE_SRC_mutex) kern/cond.c kern/rtmutex.c
EXPLORE_SRC_sem      := $(EXPLORE_SRC_thread) kern/sem.c
EXPLORE_SRC_completion := $(EXPLORE_SRC_thread) kern/completion.c
EXPLORE_SRC_rwlock   := $(EXPLORE_SRC_thread) kern/rwlock.c
EXPLORE_SRC_work     := $(EXPLORE_SRC_thread) kern/work.c
EXPLORE_SRC_sref     := $(EXPLORE_SRC_thread) $(addprefix kern/,sref.c \
                          sref_epoch.c sref_review.c)
EXPLORE_SRC_sref_epoch := kern/sref_epoch.c
EXPLORE_SRC_hub_ref  := $(EXPLORE_SRC_thread) kern/hub_ref.c kern/xcall.c
EXPLORE_SRC_rcu      := $(EXPLORE_SRC_thread) kern/rcu.c
EXPLORE_SRC_rcu_call := $(EXPLORE_SRC_rcu) \
                        $(addprefix kern/,mutex.c rcu_call.c xcall.c)
EXPLORE_SRC_rcu_hash := $(EXPLORE_SRC_rcu_call) kern/rcu_hash.c
EXPLORE_SRC_rcu_radix := $(EXPLORE_SRC_rcu_call) kern/rcu_radix.c
EXPLORE_SRC_right    := $(EXPLORE_SRC_rcu_call) kern/rtmutex.c \
                        $(addprefix ipc/right_,bitmap.c chunk.c dir.c owner.c \
                          sweep.c table.c)
EXPLORE_SRC_message  := $(EXPLORE_SRC_rcu) kern/rtmutex.c \
                        kern/xcall.c \
                        $(addprefix ipc/,call_msg_fast.c charged.c kobject.c message.c \
                          message_local.c port.c port_cpu.c rcvid.c)
EXPLORE_SRC_connection := $(EXPLORE_SRC_rcu) \
                        $(addprefix kern/,rcu_radix.c rtmutex.c) \
                        $(addprefix ipc/,charged.c connection.c kobject.c port.c \
                          port_cpu.c right.c)
EXPLORE_SRC_slot     := $(EXPLORE_SRC_rcu_call) \
                        $(addprefix vm/,slot.c tree.c)
EXPLORE_PLAIN_slot   := vm/node.c
EXPLORE_SRC_shoot    := $(EXPLORE_SRC_slot) kern/work.c \
                        $(addprefix vm/,change.c clone.c drop.c fault.c map.c query.c \
                          room.c share.c shoot.c space.c space_list.c \
                          trim.c used.c)
EXPLORE_PLAIN_shoot  := vm/node.c

# Linked to all.
EXPLORE_PLAIN := kern/lock_check.c lib/fmt.c lib/glob.c lib/string.c

BUILD     ?= build
HOST_CC   ?= gcc
EXPLORE   ?= *
BROKEN    ?= *
SCHEDULES ?= 100000
ACCESSES  ?= 40000000
LEAST     ?= 0

# A broken variant is built from a tree of its own, into a folder of its own:
# of the objects, those that are EXPLORE_STALE.
EXPLORE_TREE ?= .
EXPLORE_BASE := $(BUILD)/explore
EXPLORE_OUT  ?= $(EXPLORE_BASE)

EXPLORE_WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes \
                    -Wstrict-prototypes -Werror
EXPLORE_CFLAGS   := -std=gnu11 -O2 -g -fno-pie -mno-red-zone \
                    -fno-omit-frame-pointer -fno-optimize-sibling-calls \
                    -fno-strict-aliasing -fno-stack-protector -fno-common \
                    -ffile-prefix-map=$(EXPLORE_TREE)/= \
                    -ffile-prefix-map=$(CURDIR)/= -DCONFIG_DEBUG \
                    -D_GNU_SOURCE $(EXPLORE_WARNINGS)
explore_includes  = -I$(1)/test/explore/include -I$(1) -I$(1)/include \
                    -I$(BUILD)/gen

# Ours, or the explorer's, where the host's library has a function as well.
EXPLORE_RENAME := $(foreach f,memcpy memmove memset memcmp,-D$(f)=explore_$(f)) \
                  $(foreach f,strlcpy strlcat,-D$(f)=lib_$(f))

# Hooks at each access; function entries are of no use here.
EXPLORE_HOOKS := -fsanitize=thread $(if $(findstring clang,$(HOST_CC)), \
                   -mllvm -tsan-instrument-func-entry-exit=0, \
                   --param tsan-instrument-func-entry-exit=0 -Wno-tsan)

EXPLORE_ENGINE := $(wildcard test/explore/*.c test/explore/*.S)
EXPLORE_ENGINE := $(filter-out %_explore.c,$(EXPLORE_ENGINE))
EXPLORE_ENGINE := $(patsubst %,engine/%.o,$(basename $(EXPLORE_ENGINE)))
EXPLORE_NAMES  := $(patsubst test/explore/%_explore.c,%, \
                    $(wildcard test/explore/*_explore.c))
EXPLORE_BINS   := $(EXPLORE_NAMES:%=$(EXPLORE_OUT)/%_explore)

explore_parts = $(EXPLORE_ENGINE) instr/test/explore/$(1)_explore.o \
                $(patsubst %.c,instr/%.o,$(EXPLORE_SRC_$(1))) \
                $(patsubst %.c,plain/%.o,$(EXPLORE_PLAIN) $(EXPLORE_PLAIN_$(1)))
explore_place = $(if $(filter $(1),$(EXPLORE_STALE)),$(EXPLORE_OUT),$\
                  $(EXPLORE_BASE))/$(1)
explore_objs  = $(foreach o,$(call explore_parts,$(1)),$(call explore_place,$o))
EXPLORE_OBJS  := $(sort $(foreach n,$(EXPLORE_NAMES),$(call explore_objs,$n)))
.SECONDARY: $(EXPLORE_OBJS)
$(EXPLORE_OBJS): | $(BUILD)/gen/ipc/calls.h

$(EXPLORE_OUT)/instr/%.o: $(EXPLORE_TREE)/%.c
	@mkdir -p $(@D)
	@echo "  EXPLORE $*.c"
	$(Q)$(HOST_CC) $(call explore_includes,$(EXPLORE_TREE)) \
		$(EXPLORE_CFLAGS) $(EXPLORE_RENAME) $(EXPLORE_HOOKS) \
		-MMD -MP -c $< -o $@

$(EXPLORE_OUT)/plain/%.o: $(EXPLORE_TREE)/%.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $*.c"
	$(Q)$(HOST_CC) $(call explore_includes,$(EXPLORE_TREE)) \
		$(EXPLORE_CFLAGS) -MMD -MP -c $< -o $@

$(EXPLORE_OUT)/engine/%.o: $(EXPLORE_TREE)/%.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $*.c"
	$(Q)$(HOST_CC) $(call explore_includes,$(EXPLORE_TREE)) $(EXPLORE_CFLAGS) \
		-MMD -MP -c $< -o $@

$(EXPLORE_OUT)/engine/%.o: $(EXPLORE_TREE)/%.S
	@mkdir -p $(@D)
	$(Q)gcc -c $< -o $@

$(EXPLORE_OUT)/plain/lib/string.o: EXPLORE_CFLAGS += $(HOST_STRING_CFLAGS) \
	$(call host_rename,$(HOST_RENAME_ALL))

$(EXPLORE_OUT)/engine/test/explore/runtime.o: EXPLORE_CFLAGS += \
	$(filter -Dmem%,$(EXPLORE_RENAME)) -fno-builtin-memcpy

.SECONDEXPANSION:
$(EXPLORE_BINS): $(EXPLORE_OUT)/%_explore: $$(call explore_objs,$$*) \
		test/explore/explore.ld
	@echo "  HOSTLD  $@"
	$(Q)$(HOST_CC) -no-pie -Wl,-T,test/explore/explore.ld \
		$(filter %.o,$^) -o $@

.PHONY: host-explore host-explore-broken explore-programs

explore-programs: $(EXPLORE_BINS)

host-explore: $(EXPLORE_BINS)
	$(Q)tools/explore --schedules $(SCHEDULES) --accesses $(ACCESSES) \
		--least $(LEAST) $(if $(SEED),--seed $(SEED)) \
		--programs '$(EXPLORE_BASE)' '$(EXPLORE)'

host-explore-broken: $(EXPLORE_BINS)
	$(Q)tools/explore --broken $(if $(COMPARE),--compare) \
		$(if $(SEED),--seed $(SEED)) --programs '$(EXPLORE_BASE)' \
		'$(BROKEN)'

-include $(EXPLORE_OBJS:.o=.d)

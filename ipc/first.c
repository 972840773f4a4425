/* SPDX-License-Identifier: MIT */
#include <arch/boot_info.h>
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/option.h>
#include <kern/random.h>
#include <kern/seed.h>
#include <lib/cmdline.h>
#include <lib/string.h>
#include <ipc/bootstrap.h>
#include <ipc/console_port.h>
#include <ipc/first.h>
#include <ipc/image.h>
#include <ipc/image_stack.h>
#include <ipc/module.h>
#include <ipc/right.h>
#include <ipc/right_table.h>
#include <ipc/task.h>
#include <ipc/uthread.h>

/* From the option; constant once stages run. */
static char first_name[BOOT_MODULE_NAME_SIZE];

/* Of the thread that runs the stages. */
static void (*first_watcher)(void);

bool
first_is_wanted(void)
{
    return first_name[0] != '\0';
}

void
first_watch(void (*fn)(void))
{
    first_watcher = fn;
}

/*
 * Its arguments
 */

/* Most bytes that the name and the words of the command line take. */
#define FIRST_WORDS_SIZE (BOOT_MODULE_NAME_SIZE + BOOT_CMDLINE_SIZE + 1)

static_assert(FIRST_WORDS_SIZE <= IMAGE_WORDS_MAX, "all words fit");

/* Append a word.  Context: it fits, as no word becomes longer */
static void
first_add_word(struct image_words *words, char *text,
               const struct cmdline_word *word)
{
    char *to = text + words->size;
    status_t status =
        cmdline_word_copy(word, to, FIRST_WORDS_SIZE - words->size);

    assert(status == OK);
    words->size += strlen(to) + 1;
    words->nr++;
}

/* The name, and what is behind -- on the command line; text is allocated. */
static status_t
first_make_words(struct image_words *words)
{
    const char *arguments = cmdline_arguments(boot_info_get()->cmdline);
    struct cmdline_word word = { first_name, strlen(first_name) };
    char *text = kmalloc(FIRST_WORDS_SIZE);
    struct cmdline_iter it;

    if (text == NULL) {
        return ERR_NO_MEMORY;
    }
    *words = (struct image_words){ .text = text };
    cmdline_iter_init(&it, arguments);
    do {
        first_add_word(words, text, &word);
    } while (cmdline_next_word(&it, &word));
    return OK;
}

/*
 * Its memory
 */

/* Say why a file is no program that can be started. */
static void
first_refuse(const struct boot_module *module, status_t status)
{
    static const char *const why[STATUS_NR] = {
        [ERR_TRUNCATED] = "it is no ELF file, or cut",
        [ERR_FORMAT] = "it is no ELF file, or malformed",
        [ERR_UNSUPPORTED] = "it is no static program for this machine",
        [ERR_RANGE] = "its addresses do not fit",
        [ERR_ACCESS] = "it has memory that is both written and executed",
        [ERR_EXISTS] = "its segments do not fit",
        [ERR_NO_MEMORY] = "it does not fit into memory",
    };

    log_error("init: %s cannot be started: %s", module->name,
              why[status] != NULL ? why[status] : status_string(status));
}

/* Addresses that nobody knows before, unless they are to be the same again. */
static void
first_seed(struct rand *rand)
{
    rand_init(rand, seed_is_given() ? seed_get() : random_u64());
}

static status_t
first_map_stack(struct task *task, const struct image *image, struct rand *rand,
                struct user_start *start)
{
    struct image_words words;
    status_t status = first_make_words(&words);

    if (status != OK) {
        return status;
    }
    status = image_stack_map(task->space, image, &words, rand, &start->sp);
    start->pc = image->entry;
    kfree((void *)words.text);
    return status;
}

/* Load the program into its space; where it begins. */
static status_t
first_load(struct task *task, const struct boot_module *module,
           struct user_start *start)
{
    struct image image;
    struct rand rand;
    status_t status;

    first_seed(&rand);
    status = image_open(&image, module_data(module), module->size, &rand);
    if (status != OK) {
        return status;
    }
    status = image_map(&image, task->space);
    if (status != OK) {
        return status;
    }
    log_debug("init: %s is loaded at %#lx, begins at %#lx", module->name,
              image.base, image.entry);
    return first_map_stack(task, &image, &rand, start);
}

/*
 * Its rights
 */

/* Give a right under a name that nothing has. */
static status_t
first_give(struct task *task, struct right *right, uint32_t name)
{
    struct right *old;

    return right_table_set(&task->rights, name, right, 0, &old);
}

/* A connection to the console, three times. */
static status_t
first_give_console(struct task *task)
{
    struct right *right;
    status_t status = console_port_right(task, &right);

    if (status != OK) {
        return status;
    }
    status = first_give(task, right, PORTOLAN_RIGHT_INPUT);
    if (status == OK) {
        status = first_give(task, right, PORTOLAN_RIGHT_OUTPUT);
    }
    if (status == OK) {
        status = first_give(task, right, PORTOLAN_RIGHT_ERROR);
    }
    right_put(right);
    return status;
}

static status_t
first_give_bootstrap(struct task *task)
{
    struct right *right;
    status_t status =
        right_create(&right, bootstrap_object(), 0, task->container);

    if (status != OK) {
        return status;
    }
    status = first_give(task, right, PORTOLAN_RIGHT_BOOTSTRAP);
    right_put(right);
    return status;
}

/* All that it finds, and whose use everybody else gets from it. */
static status_t
first_rights(struct task *task)
{
    status_t status = first_give_console(task);

    return status == OK ? first_give_bootstrap(task) : status;
}

/*
 * Its life
 */

static status_t
first_create_task(struct task **taskp)
{
    struct task_params params = {
        .name = first_name,
        .pid = FIRST_PID,
        .max_priority = THREAD_PRIORITY_MAX,
    };
    status_t status;

    status = container_create(&params.container, container_root, first_name);
    if (status != OK) {
        return status;
    }
    status = task_create(taskp, &params);
    container_put(params.container);
    return status;
}

static status_t
first_start(struct task *task, const struct user_start *start)
{
    struct uthread_params params = { .name = first_name,
                                     .start = *start,
                                     .is_detached = true };
    struct uthread *uthread;
    status_t status = uthread_create(&uthread, task, &params);

    if (status != OK) {
        return status;
    }
    if (first_watcher != NULL) {
        first_watcher();
    }
    status = uthread_start(uthread);
    if (status != OK) {
        uthread_cancel(uthread);
    }
    uthread_put(uthread);
    return status;
}

/* Wait for the end.  Returns: whether it was a good one */
static bool
first_wait(struct task *task)
{
    struct portolan_task_end end;

    if (task_wait(task, &end, CLOCK_NEVER) != OK) {
        return false;
    }
    if (end.cause == PORTOLAN_TASK_EXITED && end.status == 0) {
        log_info("init: %s has ended", first_name);
        return true;
    }
    log_error("init: %s has %s, status %d", first_name,
              end.cause == PORTOLAN_TASK_EXITED ? "ended" : "been killed",
              end.status);
    return false;
}

/* Returns: whether the task runs */
static bool
first_begin(struct task *task, const struct boot_module *module)
{
    struct user_start start = { .pc = 0 };
    status_t status = first_load(task, module, &start);

    if (status == OK) {
        status = first_rights(task);
    }
    if (status == OK) {
        status = first_start(task, &start);
    }
    if (status != OK) {
        first_refuse(module, status);
    }
    return status == OK;
}

static bool
first_run(const struct boot_module *module)
{
    struct task *task;
    bool passed = false;
    status_t status = console_port_begin();

    if (status == OK) {
        status = first_create_task(&task);
    }
    if (status != OK) {
        first_refuse(module, status);
        return false;
    }
    if (first_begin(task, module)) {
        passed = first_wait(task);
    } else {
        task_end(task, PORTOLAN_TASK_KILLED, 0);
    }
    task_put(task);
    return passed;
}

/* Say that there is no such module, and which there are. */
static void
first_list_modules(void)
{
    log_error("init: there is no boot module %s; modules: %zu", first_name,
              module_nr());
    for (size_t i = 0; i < module_nr(); i++) {
        log_error("init: module %zu: %s, %lu bytes", i, module_get(i)->name,
                  module_get(i)->size);
    }
}

static bool
first_stage(void)
{
    const struct boot_module *module;

    if (!first_is_wanted()) {
        return true;
    }
    module = module_find(first_name);
    if (module == NULL) {
        first_list_modules();
        return false;
    }
    return first_run(module);
}

MAIN_STAGE(MAIN_FIRST_PROGRAM, first_stage);

static status_t
first_option(const char *value)
{
    if (value[0] == '\0') {
        return ERR_INVALID;
    }
    if (strlen(value) >= sizeof(first_name)) {
        return ERR_RANGE;
    }
    strlcpy(first_name, value, sizeof(first_name));
    return OK;
}

OPTION(init, "NAME", "the boot module to run as the first program",
       first_option);

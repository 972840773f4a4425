/* SPDX-License-Identifier: MIT */
/*
 * Patterns.
 */
#include <stddef.h>

#include <lib/glob.h>
#include <lib/string.h>
#include <test/test.h>

TEST(glob, plain_text_matches_itself)
{
    EXPECT(glob_match("list.init", "list.init"));
    EXPECT(!glob_match("list.init", "list.ini"));
    EXPECT(!glob_match("list.init", "list.init2"));
    EXPECT(glob_match("", ""));
    EXPECT(!glob_match("", "a"));
    EXPECT(!glob_match("a", ""));
}

TEST(glob, star_matches_any_run)
{
    EXPECT(glob_match("*", ""));
    EXPECT(glob_match("*", "abc"));
    EXPECT(glob_match("list.*", "list.init"));
    EXPECT(glob_match("*.init", "list.init"));
    EXPECT(glob_match("a*b*c", "a-b-b-c"));
    EXPECT(glob_match("**a**", "bab"));
    EXPECT(!glob_match("a*b", "a-b-"));
    EXPECT(glob_match("*ab", "aab"));
}

TEST(glob, question_mark_matches_one)
{
    EXPECT(glob_match("a?c", "abc"));
    EXPECT(!glob_match("a?c", "ac"));
    EXPECT(!glob_match("abc?", "abc"));
    EXPECT(glob_match("?*", "a"));
    EXPECT(!glob_match("?*", ""));
}

TEST(glob, set_matches_its_members)
{
    EXPECT(glob_match("[abc]", "b"));
    EXPECT(!glob_match("[abc]", "d"));
    EXPECT(glob_match("[a-c]x[0-9]", "bx7"));
    EXPECT(!glob_match("[a-c]x", "dx"));
    EXPECT(!glob_match("[a-c]", ""));
    EXPECT(glob_match("[a-c]", "a"));
    EXPECT(glob_match("[a-c]", "c"));
}

TEST(glob, set_can_be_negated)
{
    EXPECT(glob_match("[!a-c]", "d"));
    EXPECT(!glob_match("[!a-c]", "b"));
    EXPECT(!glob_match("[!a]", ""));
}

TEST(glob, set_holds_brackets_and_dashes)
{
    EXPECT(glob_match("[]]", "]"));
    EXPECT(glob_match("[!]]", "a"));
    EXPECT(glob_match("[a-]", "-"));
    EXPECT(glob_match("[-a]", "-"));
    EXPECT(!glob_match("[a-]", "b"));
}

TEST(glob, open_bracket_is_itself)
{
    EXPECT(glob_match("[ab", "[ab"));
    EXPECT(!glob_match("[ab", "a"));
    EXPECT(glob_match("[", "["));
    EXPECT(glob_match("[]", "[]"));
    EXPECT(glob_match("[!", "[!"));
}

TEST(glob, list_matches_any_of_its_patterns)
{
    EXPECT(glob_match_list("list.*", "list.init"));
    EXPECT(glob_match_list("port.*,list.*", "list.init"));
    EXPECT(glob_match_list("list.*,port.*", "list.init"));
    EXPECT(!glob_match_list("list.*,port.*", "rcu.read"));
    EXPECT(!glob_match_list("list,init", "list,init"));
}

TEST(glob, empty_pattern_of_a_list_matches_nothing)
{
    EXPECT(!glob_match_list("", ""));
    EXPECT(!glob_match_list(",,", ""));
    EXPECT(glob_match_list(",a,", "a"));
}

/* With a retry of each star, this would outlast the universe. */
TEST(glob, many_stars_take_bounded_time)
{
    char text[256];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    EXPECT(!glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
    EXPECT(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a", text));
}

/* Tables of options: whatever a table says of an option holds, for every option of every table. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const table_names[] = {"training", "compression", "quantization", "lossless", "predictor",
                                          "shrinking"};
enum { TABLES = sizeof table_names / sizeof *table_names };

static ae_option_information about(int32_t table, size_t index) {
  ae_option_information information;
  memset(&information, 0xEE, sizeof information);
  information.struct_size = sizeof information;
  if (ae_option_info(table, index, &information) != AE_OK) require(NULL);
  return information;
}

/* What an option is, as text of the test's own. */
static const char *got(const ae_options *options, const char *key) {
  static char text[70000];
  size_t size = 0;
  if (ae_options_get(options, key, text, sizeof text, &size) != AE_OK) return ae_last_error();
  return size == strlen(text) + 1 ? text : "a size that does not count the NUL";
}

/* Whether a status is a refusal that names the key, and the option has kept its value. */
static int refuses(ae_status status, ae_options *options, const char *key) {
  const char *kept = got(options, key);
  if (status == AE_ERROR_ARGUMENT && strstr(ae_last_error(), key) != NULL && strcmp(kept, "") != 0) return 1;
  printf("         %s came for %s: %s\n", ae_status_string(status), key, ae_last_error());
  return 0;
}

/* Whether a text is taken, and given back as `back`. */
static int takes(ae_options *options, const char *key, const char *text, const char *back) {
  const ae_status status = ae_options_set(options, key, text);
  if (status == AE_OK && strcmp(got(options, key), back) == 0) return 1;
  printf("         %s of %.60s: %s, then %.60s\n", key, text, status == AE_OK ? "taken" : ae_last_error(),
         got(options, key));
  return 0;
}

static void whole(char text[32], double value) {
  if (value >= 18446744073709551615.0)
    strcpy(text, "18446744073709551615");
  else
    snprintf(text, 32, "%.0f", value);
}

static int integer_holds(ae_options *options, const ae_option_information *of) {
  char least[32], most[32], less[32], more[32];
  const int is_all = of->maximum >= 18446744073709551615.0;
  whole(least, of->minimum);
  whole(most, of->maximum);
  snprintf(less, sizeof less, "%.0f", of->minimum - 1);
  if (is_all)
    strcpy(more, "18446744073709551616");
  else
    snprintf(more, sizeof more, "%.0f", of->maximum + 1);
  return of->minimum >= 0 && of->maximum >= of->minimum && takes(options, of->key, least, least) &&
         takes(options, of->key, most, most) && refuses(ae_options_set(options, of->key, less), options, of->key) &&
         refuses(ae_options_set(options, of->key, more), options, of->key) && strcmp(got(options, of->key), most) == 0 &&
         refuses(ae_options_set(options, of->key, ""), options, of->key) &&
         refuses(ae_options_set(options, of->key, "many"), options, of->key) &&
         refuses(ae_options_set(options, of->key, "1 "), options, of->key) &&
         refuses(ae_options_set(options, of->key, "1.5"), options, of->key) &&
         refuses(ae_options_set_number(options, of->key, 1.5), options, of->key) &&
         ae_options_set_integer(options, of->key, (int64_t)of->minimum) == AE_OK &&
         strcmp(got(options, of->key), least) == 0 &&
         refuses(ae_options_set_integer(options, of->key, (int64_t)of->minimum - 1), options, of->key) &&
         refuses(ae_options_set_integer(options, of->key, INT64_MIN), options, of->key) &&
         (is_all || refuses(ae_options_set_integer(options, of->key, (int64_t)of->maximum + 1), options, of->key));
}

static int number_holds(ae_options *options, const ae_option_information *of) {
  const double inside[] = {of->minimum, of->maximum, of->minimum + (of->maximum - of->minimum) / 3};
  const double outside[] = {nextafter(of->minimum, -HUGE_VAL), nextafter(of->maximum, HUGE_VAL), NAN, HUGE_VAL, -HUGE_VAL};
  static const char *const words[] = {"nan", "inf", "-inf", "", "much", "1e999", "0x1p0q", "1,5", " 1"};
  char text[40];
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
    if (ae_options_set_number(options, of->key, inside[i]) != AE_OK || strtod(got(options, of->key), NULL) != inside[i])
      return 0;
    snprintf(text, sizeof text, "%.17g", inside[i]);
    if (ae_options_set(options, of->key, text) != AE_OK || strtod(got(options, of->key), NULL) != inside[i]) return 0;
    /* What comes out goes in. */
    snprintf(text, sizeof text, "%s", got(options, of->key));
    if (!takes(options, of->key, text, text)) return 0;
  }
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
    if (!refuses(ae_options_set_number(options, of->key, outside[i]), options, of->key)) return 0;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!refuses(ae_options_set(options, of->key, words[i]), options, of->key)) return 0;
  if (of->minimum <= 0 && (ae_options_set_integer(options, of->key, 0) != AE_OK || strcmp(got(options, of->key), "0") != 0))
    return 0;
  return strtod(got(options, of->key), NULL) >= of->minimum;
}

static int flag_holds(ae_options *options, const ae_option_information *of) {
  return takes(options, of->key, "true", "true") && takes(options, of->key, "false", "false") &&
         takes(options, of->key, "1", "true") && takes(options, of->key, "0", "false") &&
         ae_options_set_integer(options, of->key, 1) == AE_OK && strcmp(got(options, of->key), "true") == 0 &&
         ae_options_set_integer(options, of->key, 0) == AE_OK && strcmp(got(options, of->key), "false") == 0 &&
         refuses(ae_options_set_integer(options, of->key, 2), options, of->key) &&
         refuses(ae_options_set_integer(options, of->key, -1), options, of->key) &&
         refuses(ae_options_set_number(options, of->key, 1), options, of->key) &&
         refuses(ae_options_set(options, of->key, "maybe"), options, of->key) &&
         refuses(ae_options_set(options, of->key, ""), options, of->key) && of->minimum == 0 && of->maximum == 1;
}

static int choice_holds(ae_options *options, const ae_option_information *of) {
  char words[1000], *word = words, *next;
  int64_t number = 0;
  snprintf(words, sizeof words, "%s", of->choices);
  for (; word != NULL; word = next, number++) {
    next = strchr(word, ',');
    if (next != NULL) *next++ = 0;
    while (*word == ' ') word++;
    /* A number that is no choice has no name. */
    if (*word == 0) {
      if (!refuses(ae_options_set_integer(options, of->key, number), options, of->key)) return 0;
      continue;
    }
    if (!takes(options, of->key, word, word)) return 0;
    if (ae_options_set(options, of->key, of->default_value) != AE_OK ||
        ae_options_set_integer(options, of->key, number) != AE_OK || strcmp(got(options, of->key), word) != 0)
      return 0;
  }
  return number >= 2 && refuses(ae_options_set_integer(options, of->key, number), options, of->key) &&
         refuses(ae_options_set_integer(options, of->key, -1), options, of->key) &&
         refuses(ae_options_set_integer(options, of->key, INT64_MAX), options, of->key) &&
         refuses(ae_options_set_number(options, of->key, 0), options, of->key) &&
         refuses(ae_options_set(options, of->key, "neither"), options, of->key) &&
         refuses(ae_options_set(options, of->key, ""), options, of->key) && of->maximum == (double)(number - 1);
}

static int text_holds(ae_options *options, const ae_option_information *of) {
  static char text[70000];
  const size_t most = (size_t)of->maximum;
  if (of->maximum < 1 || most + 2 > sizeof text) return 0;
  memset(text, 'x', most);
  text[most] = 0;
  if (!takes(options, of->key, text, text)) return 0;
  strcat(text, "x");
  return refuses(ae_options_set(options, of->key, text), options, of->key) &&
         refuses(ae_options_set(options, of->key, "not \xff UTF-8"), options, of->key) &&
         takes(options, of->key, "h\xc3\xa9llo, w=rld", "h\xc3\xa9llo, w=rld") &&
         refuses(ae_options_set_integer(options, of->key, 1), options, of->key) &&
         refuses(ae_options_set_number(options, of->key, 1), options, of->key);
}

static int integers_hold(ae_options *options, const ae_option_information *of) {
  char text[100], least[32], most[32];
  static char many[4000];
  whole(least, of->minimum);
  whole(most, of->maximum);
  snprintf(text, sizeof text, "%s,%s,%s", least, most, least);
  if (!takes(options, of->key, text, text) || !takes(options, of->key, least, least) ||
      !takes(options, of->key, "none", "none"))
    return 0;
  snprintf(text, sizeof text, "%s,%.0f", least, of->maximum + 1);
  for (size_t i = 0; i < 300; i++) strcat(many, i == 0 ? "1" : ",1");
  return refuses(ae_options_set(options, of->key, text), options, of->key) &&
         refuses(ae_options_set(options, of->key, "1,,2"), options, of->key) &&
         refuses(ae_options_set(options, of->key, "1,"), options, of->key) &&
         refuses(ae_options_set(options, of->key, ",1"), options, of->key) &&
         refuses(ae_options_set(options, of->key, ""), options, of->key) &&
         refuses(ae_options_set(options, of->key, "-1"), options, of->key) &&
         refuses(ae_options_set(options, of->key, many), options, of->key) &&
         refuses(ae_options_set_number(options, of->key, 1), options, of->key);
}

static void test_option(int32_t table, size_t index) {
  static int (*const holds[])(ae_options *, const ae_option_information *) = {
      [AE_OPTION_INTEGER] = integer_holds, [AE_OPTION_NUMBER] = number_holds, [AE_OPTION_FLAG] = flag_holds,
      [AE_OPTION_CHOICE] = choice_holds,   [AE_OPTION_TEXT] = text_holds,     [AE_OPTION_INTEGERS] = integers_hold};
  const ae_option_information of = about(table, index);
  const char *name = table_names[table];
  ae_options *options = options_of(table, "");
  char first[5000];
  check(of.type >= AE_OPTION_INTEGER && of.type <= AE_OPTION_INTEGERS && (of.is_implied == 0 || of.is_implied == 1) &&
            of.key != NULL && of.key[0] != 0 && strspn(of.key, "abcdefghijklmnopqrstuvwxyz_") == strlen(of.key) &&
            of.documentation != NULL && of.documentation[0] != 0 &&
            of.documentation[strlen(of.documentation) - 1] == '.' && of.former_flags != NULL &&
            of.choices != NULL && (of.choices[0] != 0) == (of.type == AE_OPTION_CHOICE) && of.automatic != NULL &&
            of.default_value != NULL && of.struct_size == sizeof of,
        "%s: %s is described", name, of.key);
  for (size_t other = 0; other < index; other++)
    if (strcmp(about(table, other).key, of.key) == 0) check(0, "%s: %s is there twice", name, of.key);
  snprintf(first, sizeof first, "%s", got(options, of.key));
  check(strcmp(first, of.default_value) == 0, "%s: %s is %s at first", name, of.key, of.default_value);
  check(of.type >= 0 && of.type <= AE_OPTION_INTEGERS && holds[of.type](options, &of), "%s: %s is what its table says", name,
        of.key);
  check(takes(options, of.key, of.default_value, of.default_value), "%s: %s takes its default", name, of.key);
  if (of.automatic[0] != 0) {
    check(takes(options, of.key, "auto", "auto"), "%s: %s may be auto, which is %s", name, of.key, of.automatic);
  } else if (of.type != AE_OPTION_TEXT && strstr(of.choices, "auto") == NULL) {
    check(refuses(ae_options_set(options, of.key, "auto"), options, of.key), "%s: %s may not be auto", name, of.key);
  }
  ae_options_free(options);
}

static void test_structs(void) {
  struct {
    ae_option_information known;
    char later[16];
  } longer;
  struct {
    ae_preset_information known;
    char later[16];
  } longer_preset;
  ae_option_information information = about(AE_OPTIONS_TRAINING, 0);
  ae_preset_information preset;
  information.struct_size = sizeof information - 8;
  check_status(ae_option_info(0, 0, &information), AE_ERROR_VERSION, "information of an option, 8 bytes short");
  information.struct_size = 0;
  check_status(ae_option_info(0, 0, &information), AE_ERROR_VERSION, "of no size");
  information.struct_size = SIZE_MAX;
  check_status(ae_option_info(0, 0, &information), AE_ERROR_VERSION, "of SIZE_MAX bytes");
  memset(&longer, 0xEE, sizeof longer);
  longer.known.struct_size = sizeof longer;
  check_status(ae_option_info(0, 0, &longer.known), AE_OK, "of a later version");
  check(longer.known.struct_size == sizeof longer && longer.later[0] == 0 && longer.later[15] == 0,
        "keeps its size, and later fields are 0");
  preset.struct_size = sizeof preset - 8;
  check_status(ae_preset_info(0, &preset), AE_ERROR_VERSION, "information of a preset, 8 bytes short");
  memset(&longer_preset, 0xEE, sizeof longer_preset);
  longer_preset.known.struct_size = sizeof longer_preset;
  check_status(ae_preset_info(0, &longer_preset.known), AE_OK, "of a later version");
  check(longer_preset.later[0] == 0 && longer_preset.later[15] == 0, "its later fields are 0");
}

/* Presets set what they say, and nothing else. */
static void test_presets(void) {
  size_t count = ae_preset_count();
  ae_options *options;
  check(count > 0, "there are presets (%zu)", count);
  for (size_t i = 0; i < count; i++) {
    ae_preset_information preset;
    char pairs[1000];
    int same = 1;
    preset.struct_size = sizeof preset;
    if (!check_status(ae_preset_info(i, &preset), AE_OK, "preset %zu", i)) continue;
    check(preset.name != NULL && preset.name[0] != 0 && preset.summary != NULL && preset.summary[0] != 0 &&
              preset.options != NULL && preset.options[0] != 0,
          "%s is described: %s", preset.name, preset.summary);
    options = options_of(AE_OPTIONS_TRAINING, "steps=77 name=kept");
    check_status(ae_options_set(options, "preset", preset.name), AE_OK, "%s is set", preset.name);
    snprintf(pairs, sizeof pairs, " %s ", preset.options);
    for (size_t row = 0; row < ae_option_count(AE_OPTIONS_TRAINING); row++) {
      const ae_option_information of = about(AE_OPTIONS_TRAINING, row);
      char start[80], expected[200];
      const char *pair;
      snprintf(start, sizeof start, " %s=", of.key);
      pair = strstr(pairs, start);
      if (pair != NULL)
        snprintf(expected, sizeof expected, "%.*s", (int)strcspn(pair + strlen(start), " "), pair + strlen(start));
      else
        snprintf(expected, sizeof expected, "%s",
                 strcmp(of.key, "steps") == 0  ? "77"
                 : strcmp(of.key, "name") == 0 ? "kept"
                                               : of.default_value);
      if (strcmp(got(options, of.key), expected) != 0) {
        printf("         %s is %s, not %s\n", of.key, got(options, of.key), expected);
        same = 0;
      }
    }
    check(same, "%s sets what it says, and no more", preset.name);
    check_status(ae_options_set(options, "steps", "5"), AE_OK, "%s may be overridden", preset.name);
    ae_options_free(options);
  }
  options = options_of(AE_OPTIONS_TRAINING, "");
  check_status(ae_options_set(options, "preset", "quik"), AE_ERROR_ARGUMENT, "a preset that there is none of");
  check(strstr(ae_last_error(), "quick") != NULL, "is refused with their names: %s", ae_last_error());
  check_status(ae_options_set_integer(options, "preset", 0), AE_ERROR_ARGUMENT, "a preset has no number");
  ae_options_free(options);
  options = options_of(AE_OPTIONS_COMPRESSION, "");
  check_status(ae_options_set(options, "preset", "quick"), AE_ERROR_ARGUMENT, "other tables have no presets");
  ae_options_free(options);
}

static void test_keys(void) {
  ae_options *options = options_of(AE_OPTIONS_TRAINING, ""), *other = options_of(AE_OPTIONS_TRAINING, "");
  size_t size = 0, needed = 0;
  char text[8];
  check_status(ae_options_set(options, "lerning_rate", "1"), AE_ERROR_ARGUMENT, "a key that is misspelt");
  check(strstr(ae_last_error(), "lerning_rate") != NULL && strstr(ae_last_error(), "\"learning_rate\"") != NULL,
        "is named, and the nearest: %s", ae_last_error());
  check_status(ae_options_set_integer(options, "stepps", 1), AE_ERROR_ARGUMENT, "as a whole number");
  check(strstr(ae_last_error(), "\"steps\"") != NULL, "too: %s", ae_last_error());
  check_status(ae_options_set_number(options, "nois", 1), AE_ERROR_ARGUMENT, "as a number");
  check(strstr(ae_last_error(), "\"noise\"") != NULL, "too: %s", ae_last_error());
  check_status(ae_options_get(options, "sed", text, sizeof text, &size), AE_ERROR_ARGUMENT, "and to be told");
  check(strstr(ae_last_error(), "\"seed\"") != NULL, "too: %s", ae_last_error());
  check_status(ae_options_set(options, "", "1"), AE_ERROR_ARGUMENT, "a key of nothing");
  check_status(ae_options_set(options, "an option whose name is nothing like any other's", "1"), AE_ERROR_ARGUMENT,
               "a key like none");
  check_status(ae_options_set(options, "\xff", "1"), AE_ERROR_ARGUMENT, "a key that is no UTF-8");
  check_status(ae_options_set(options, "batch-size", "7"), AE_OK, "a key as the tool writes it");
  check(strcmp(got(options, "batch_size"), "7") == 0 && strcmp(got(other, "batch_size"), "100") == 0,
        "sets it, and in these options alone");
  check_status(ae_options_set(options, "learning_rate", "1e-3"), AE_OK, "1e-3");
  check(strcmp(got(options, "learning_rate"), "0.001") == 0, "is %s", got(options, "learning_rate"));
  check_status(ae_options_set(options, "hidden", "500,500"), AE_OK, "500,500");
  check(strcmp(got(options, "hidden"), "500,500") == 0, "is %s", got(options, "hidden"));

  check_status(ae_options_get(options, "kind", NULL, 0, &needed), AE_OK, "room for a value");
  check(needed >= 4, "is enough");
  check_status(ae_options_get(options, "kind", text, 4, &size), AE_OK, "room for elu and its NUL");
  check(size == 4 && memcmp(text, "elu", 4) == 0, "is room enough");
  check_status(ae_options_get(options, "kind", text, 3, &size), AE_ERROR_BUFFER, "one byte less");
  check(size >= 4, "is told to be too little");
  check_status(ae_options_get(options, "kind", text, 0, &size), AE_ERROR_BUFFER, "as is none");
  check_status(ae_options_get(options, "kind", (char *)(void *)&size, sizeof size, &size), AE_ERROR_ARGUMENT,
               "a value into its size");
  ae_options_free(options);
  ae_options_free(options);
  check_status(ae_options_set(options, "steps", "1"), AE_ERROR_ARGUMENT, "options that were freed");
  check_status(ae_options_set((ae_options *)(void *)other, "steps", "1"), AE_OK, "are not the others");
  ae_trainer_free((ae_trainer *)(void *)other);
  check_status(ae_options_set(other, "steps", "2"), AE_OK, "which are not freed as a trainer");
  check_status(ae_trainer_fit((ae_trainer *)(void *)other, pixels, COUNT), AE_ERROR_ARGUMENT, "nor trained");
  ae_options_free(other);
}

void test_option_tables(void) {
  for (int32_t table = 0; table < TABLES; table++) {
    const size_t count = ae_option_count(table);
    check(count > 0, "%s has options (%zu)", table_names[table], count);
    for (size_t index = 0; index < count; index++) test_option(table, index);
  }
  check(ae_option_count(-1) == 0 && ae_option_count(TABLES) == 0 && ae_option_count(INT32_MIN) == 0,
        "there are no other tables");
  test_structs();
  test_presets();
  test_keys();
}

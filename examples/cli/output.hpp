#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "knnbert/io/jsonl.hpp"

namespace knnbert::cli {

/// Writes to standard output; a reader that went away ends the program quietly.  Errors: IoError.
void print(std::string_view text);
/// One JSON value as a line on standard output.
void print_json(const OrderedJson& value);
/// Hands over what was printed.  Errors: IoError.
void flush_output();
/// The same at the end of the program, with all that went wrong before.  Errors: IoError.
void finish_output();

/// A line on standard error about what the user should know; the run goes on.
void print_warning(std::string_view text);
/// No more of them: another process of the team prints the same.
void leave_warnings_to_others();

/// Refuses a file that could not be written, before the work for it is done.  Errors: IoError.
void require_writable(const std::filesystem::path& path);

/// The text for a table or a terminal: blanks in place of line ends and tabs, U+FFFD in place of other control
/// characters and of what is no UTF-8.
std::string printable(std::string_view text);
/// A number with two digits behind the point.
std::string two_digits(double value);
/// Columns that such a text takes in a terminal: two for a wide character, as most of Chinese are, none for a mark on
/// another; one for each where the system does not know UTF-8.
std::size_t columns_of(std::string_view text);
/// Such a text followed, or led, by as many blanks as a cell of a table lacks.
std::string padded(std::string text, std::size_t columns);
std::string right_aligned(std::string text, std::size_t columns);

/// Progress on standard error, on a terminal only.
bool on_terminal();

}  // namespace knnbert::cli

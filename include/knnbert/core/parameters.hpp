#pragma once
#include <memory>
#include <string>
#include <vector>

#include "knnbert/core/lowered_weight.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/core/mirror.hpp"

namespace knnbert::inline v0_1 {

/// How a parameter lies in its block. Panels hold a weight [N, K] as [N / 16][K][16], rows of N zero-padded: the order
/// in which a product reads it, so nothing is packed at run time; gradients and moments lie alike.
enum class Layout { row_major, panels };

/// A named slice of a parameter block.
struct Parameter {
  std::string name;
  index_t rows = 0, cols = 0;  // as checkpoints show it: [rows, cols], or [cols] when it is a vector
  Layout layout = Layout::row_major;
  bool vector = false;  // one-dimensional in checkpoints
  bool weight = false;  // a factor of products: the one kind whose layout a table chooses
  bool decays = true;   // subject to weight decay
  index_t offset = 0, size = 0;

  /// Position of element (row, col) in the block.
  index_t at(index_t row, index_t col) const {
    if (layout == Layout::row_major) return offset + row * cols + col;
    return offset + (row / panel_width * cols + col) * panel_width + row % panel_width;
  }
};

/// A half-open range of a block.
struct Range {
  index_t begin, end;
};

/// Names and places of all parameters of a model. The lookup table of token embeddings, of which a step touches few
/// rows, comes last; everything before it is dense.
class ParameterTable {
 public:
  /// weights: how they lie; this library's own kernels read panels.
  explicit ParameterTable(Layout weights = Layout::panels) : weights_(weights) {}

  Layout weights() const { return weights_; }

  /// A weight [rows, cols].  Returns its number.
  index_t add_weight(std::string name, index_t rows, index_t cols) {
    const index_t stored = weights_ == Layout::panels ? round_up(rows, panel_width) : rows;
    return add({.name = std::move(name), .rows = rows, .cols = cols, .layout = weights_, .weight = true},
               stored * cols);
  }
  index_t add_vector(std::string name, index_t size, bool decays = false) {
    return add({.name = std::move(name), .rows = 1, .cols = size, .vector = true, .decays = decays},
               round_up(size, panel_width));
  }
  index_t add_rows(std::string name, index_t rows, index_t cols) {
    return add({.name = std::move(name), .rows = rows, .cols = cols}, rows * cols);
  }
  /// The token embeddings; nothing can be added after them.
  index_t add_lookup(std::string name, index_t rows, index_t cols) {
    const auto number = add_rows(std::move(name), rows, cols);
    lookup_ = number;
    return number;
  }

  const Parameter& operator[](index_t number) const { return parameters_[static_cast<std::size_t>(number)]; }
  index_t count() const { return std::ssize(parameters_); }
  const std::vector<Parameter>& all() const { return parameters_; }
  index_t size() const { return size_; }  ///< floats in a block
  bool has_lookup() const { return lookup_ >= 0; }
  const Parameter& lookup() const { return (*this)[lookup_]; }
  /// Floats before the lookup table.
  index_t dense_size() const { return has_lookup() ? lookup().offset : size_; }

  /// Number of a parameter, -1 if there is none of that name.
  index_t find(std::string_view name) const {
    for (index_t i = 0; i < count(); ++i)
      if (parameters_[as_size(i)].name == name) return i;
    return -1;
  }

 private:
  index_t add(Parameter parameter, index_t size) {
    if (has_lookup()) raise<OptionError>("ParameterTable::add: {} added after the lookup table", parameter.name);
    if (find(parameter.name) >= 0) raise<OptionError>("ParameterTable::add: {} exists already", parameter.name);
    parameter.offset = size_;
    parameter.size = size;
    size_ += round_up(size, panel_width);
    parameters_.push_back(std::move(parameter));
    return count() - 1;
  }

  Layout weights_;
  std::vector<Parameter> parameters_;
  index_t size_ = 0, lookup_ = -1;
};

/// One float for every parameter element of a table: values, gradients, moments, averages and copies of an encoder are
/// all blocks, so each update is one pass over one array and a second encoder is a copy.
class ParameterBlock {
 public:
  ParameterBlock() = default;
  explicit ParameterBlock(std::shared_ptr<const ParameterTable> table)
      : table_(std::move(table)), floats_(table_->size()) {}

  const ParameterTable& table() const { return *table_; }
  const std::shared_ptr<const ParameterTable>& shared_table() const { return table_; }
  index_t size() const { return floats_.size(); }
  /// Weights lowered from these values are stale from then on.
  float* data() {
    touch();
    mirror_.write_host(floats_.data());
    return floats_.data();
  }
  const float* data() const {
    mirror_.read_host(floats_.data());
    return floats_.data();
  }
  float* slice(index_t parameter) { return data() + table()[parameter].offset; }
  const float* slice(index_t parameter) const { return data() + table()[parameter].offset; }

  /// Copies a parameter out of its layout.
  void read(index_t parameter, View out) const {
    const auto& p = table()[parameter];
    require_shape(p.name, out, p.rows, p.cols);
    for (index_t r = 0; r < p.rows; ++r)
      for (index_t c = 0; c < p.cols; ++c) out(r, c) = data()[p.at(r, c)];
  }
  /// Copies a parameter into its layout.
  void write(index_t parameter, ConstView in) {
    const auto& p = table()[parameter];
    require_shape(p.name, in, p.rows, p.cols);
    float* to = data();
    for (index_t r = 0; r < p.rows; ++r)
      for (index_t c = 0; c < p.cols; ++c) to[p.at(r, c)] = in(r, c);
  }

  /// Whether the values also lie in another device's memory.
  bool mirrored() const { return mirror_.occupied(); }
  /// The values there, up to date; make() -> std::unique_ptr<Mirror> gives the memory at first. Between a call and the
  /// next use of data() nobody else may write.
  template <class Make>
  const Mirror& mirror(Make&& make) const {
    return mirror_.read(floats_.data(), make);
  }
  /// The same to be written: the values here are older from then on, and weights lowered from them stale.
  template <class Make>
  Mirror& mirror_to_write(Make&& make) {
    touch();
    return mirror_.write(floats_.data(), make);
  }
  /// The same of a block that has been there.  Errors: OptionError.
  const Mirror& mirror() const { return mirror_.read(floats_.data(), nowhere); }
  Mirror& mirror_to_write() {
    touch();
    return mirror_.write(floats_.data(), nowhere);
  }
  /// Zeros the values there; false if there are none.
  bool clear_mirror() { return mirror_.clear(); }

  /// A token that stays the same until somebody may have written to the values; copies of the block share it.
  /// Thread safety: calls exclude each other.
  std::shared_ptr<const void> generation() {
    if (!generation_) generation_ = std::make_shared<char>();
    return generation_;
  }
  /// Whether the values are still those that gave the token.
  bool is_of(const std::shared_ptr<const void>& generation) const { return generation && generation_ == generation; }

  /// The precision in which an encoder multiplies its weights: fp32 unless these were lowered.
  Precision precision() const { return precision_; }
  /// Whether the lowered weights, if any, are those of the values.
  bool fresh() const { return precision_ == Precision::fp32 || fresh_; }
  /// One lowered weight a parameter, empty where it has none.
  const LoweredWeight& lowered(index_t parameter) const { return lowered_[static_cast<std::size_t>(parameter)]; }
  /// Starts lowering: the caller fills what it needs; values must not change before it is done.
  std::vector<LoweredWeight>& start_lowering(Precision precision) {
    require_complete("ParameterBlock::start_lowering");
    if (precision != precision_) lowered_.clear();
    lowered_.resize(precision == Precision::fp32 ? 0 : static_cast<std::size_t>(table().count()));
    precision_ = precision;
    fresh_ = true;
    return lowered_;
  }

  /// Takes weights that were lowered elsewhere, one a parameter.
  void set_lowered(std::vector<LoweredWeight> lowered, Precision precision) {
    lowered_ = std::move(lowered);
    precision_ = precision;
    fresh_ = true;
  }
  /// Gives back the memory of a parameter of which only the lowered form will be used; its values are zero then.
  void drop(index_t parameter) {
    floats_.discard(table()[parameter].offset, table()[parameter].size);
    complete_ = false;
  }
  /// Whether all values are there.
  bool complete() const { return complete_; }
  /// Errors: OptionError unless they are.
  void require_complete(std::string_view where) const {
    if (!complete_)
      raise<OptionError>("{}: a model loaded for predictions in {} only given, a completely loaded one expected", where,
                         name_of(precision_));
  }

 private:
  /// What was derived from the values is stale from now on.
  void touch() {
    if (fresh_) fresh_ = false;  // threads that share a block of gradients only read both
    if (generation_) generation_.reset();
  }
  static std::unique_ptr<Mirror> nowhere() {
    raise<OptionError>("ParameterBlock::mirror: a block in main memory only given, one on a device expected");
  }

  std::shared_ptr<const ParameterTable> table_;
  MirrorSlot mirror_;  // copied before the floats: what a reader brings up to date meanwhile is not lost
  AlignedBuffer<float> floats_;
  std::vector<LoweredWeight> lowered_;
  std::shared_ptr<const void> generation_;
  Precision precision_ = Precision::fp32;
  bool fresh_ = false, complete_ = true;
};

}  // namespace knnbert::inline v0_1

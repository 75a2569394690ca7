#pragma once
#include <cmath>
#include <tuple>

#include "knnbert/core/deferred.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/optimizer/adamw.hpp"
#include "knnbert/torch/floats.hpp"

namespace knnbert::inline v0_1 {

/// BasicAdamW by torch's fused kernel over the flat tensors of values, gradients and moments: one launch for all
/// parameters that share rate and decay, which without weight decay and multipliers is all of them. Its state reads and
/// writes as BasicAdamW's.
class TorchAdamW {
 public:
  /// device: of blocks that are on none yet.  Errors: OptionError.
  explicit TorchAdamW(const AdamWOptions& options = {}, const std::string& device = "cpu")
      : options_(options), device_(torch_device(device)) {
    options.validate();
  }
  static TorchAdamW make(float weight_decay, float epsilon = AdamWOptions{}.epsilon) {
    return TorchAdamW(AdamWOptions{.epsilon = epsilon, .weight_decay = weight_decay});
  }
  TorchAdamW(const TorchAdamW& other)
      : options_(other.options_), device_(other.device_), groups_(other.groups_), grouped_for_(other.grouped_for_) {
    if (other.first_.defined())
      first_ = other.first_.clone(), second_ = other.second_.clone(), updates_ = other.updates_.clone();
  }
  TorchAdamW(TorchAdamW&&) = default;
  TorchAdamW& operator=(TorchAdamW other) noexcept {
    std::swap(options_, other.options_), std::swap(device_, other.device_), std::swap(groups_, other.groups_),
        std::swap(grouped_for_, other.grouped_for_);
    std::swap(first_, other.first_), std::swap(second_, other.second_), std::swap(updates_, other.updates_);
    return *this;
  }

  const AdamWOptions& options() const { return options_; }
  index_t updates() const { return updates_.defined() ? static_cast<index_t>(updates_.item<float>()) : 0; }

  /// Errors: ShapeError, DeviceMemoryError; then nothing changed.
  void step(ParameterBlock& values, Gradients& gradients, float rate, const Workers& = Workers(),
            std::span<const float> multipliers = {}) {
    update("TorchAdamW::step", values, gradients, rate, multipliers, {}, {});
  }

  /// Euclidean norm of all gradients, a scalar in fp32 on the device.  Errors: DeviceMemoryError.
  at::Tensor norm(const ParameterBlock& values, Gradients& gradients, const Workers& = Workers()) {
    return detail::guarded("TorchAdamW::norm", [&] {
      const c10::NoGradGuard no_graph;
      follow(values);
      const Range moving = range_of(gradients);
      const at::Tensor all = detail::on_device_to_write(gradients.block(), device_).floats();
      return at::linalg_vector_norm(all.narrow(0, moving.begin, moving.end - moving.begin), 2, {}, false, at::kFloat);
    });
  }

  /// Clips by a norm to at most max_norm (0: not) and moves the parameters, unless norm or `finite` say that there is
  /// no gradient.
  /// Errors: as step().
  void clipped_step(const at::Tensor& norm, ParameterBlock& values, Gradients& gradients, double max_norm, float rate,
                    const Workers& = Workers(), std::span<const float> multipliers = {}, bool finite = true) {
    if (!finite) return;
    detail::guarded("TorchAdamW::clipped_step", [&] {
      const c10::NoGradGuard no_graph;
      const at::Tensor unusable = at::logical_not(at::isfinite(norm)).to(at::kFloat);
      const at::Tensor divisor = max_norm > 0 ? at::clamp_min((norm + 1e-6) / max_norm, 1.0) : at::ones_like(norm);
      update("TorchAdamW::clipped_step", values, gradients, rate, multipliers, divisor, unusable);
    });
  }
  /// The same by the gradients' own norm, which it returns. Nobody waits for the device before that is read.
  Deferred<double> clipped_step(ParameterBlock& values, Gradients& gradients, double max_norm, float rate,
                                const Workers& workers = Workers(), std::span<const float> multipliers = {},
                                bool finite = true) {
    const at::Tensor own = norm(values, gradients, workers);
    clipped_step(own, values, gradients, max_norm, rate, workers, multipliers, finite);
    return read_norm(own);
  }
  static at::Tensor joint_norm(const at::Tensor& a, const at::Tensor& b) { return at::hypot(a, b); }
  static Deferred<double> read_norm(const at::Tensor& norm) {
    return Deferred<double>(
        [norm] { return detail::guarded("TorchAdamW", [&] { return static_cast<double>(norm.item<float>()); }); });
  }

  /// Errors: FormatError; then nothing changed.
  template <class Archive>
  void archive(Archive& ar) {
    std::int64_t updates = this->updates();
    ar("updates", updates);
    if (updates < 0) raise<FormatError>("AdamW::archive: {} updates given", updates);
    const auto exchanged = [&](const char* name, const at::Tensor& moment) {
      std::vector<float> values(moment.defined() ? static_cast<std::size_t>(moment.numel()) : 0);
      if (!values.empty()) at::from_blob(values.data(), {std::ssize(values)}, at::kFloat).copy_(moment);
      ar(name, values);
      return values;
    };
    const auto first = exchanged("first_moment", first_), second = exchanged("second_moment", second_);
    if constexpr (WritesOnly<Archive>) return;
    if (first.size() != second.size())
      raise<FormatError>("AdamW::archive: moments of {} and {} floats given", first.size(), second.size());
    detail::guarded("TorchAdamW::archive", [&] {
      const auto moment = [&](const std::vector<float>& values) {
        return values.empty() ? at::Tensor()
                              : at::from_blob(const_cast<float*>(values.data()), {std::ssize(values)}, at::kFloat)
                                    .clone()
                                    .to(device_);
      };
      const auto fresh_first = moment(first), fresh_second = moment(second);
      updates_ =
          fresh_first.defined() ? at::full({}, static_cast<float>(updates), fresh_first.options()) : at::Tensor();
      first_ = fresh_first, second_ = fresh_second;
    });
  }

 private:
  /// Parameters that share rate and decay, as ranges that touch no other.
  struct Group {
    float factor;
    bool decays;
    std::vector<Range> ranges;
  };

  /// The blocks' device, on which the state follows them.
  void follow(const ParameterBlock& values) {
    if (values.mirrored()) {
      const auto& floats = dynamic_cast<const TorchFloats&>(values.mirror());
      device_ = floats.device();
    }
    if (!first_.defined() || first_.device() == device_) return;
    first_ = first_.to(device_), second_ = second_.to(device_), updates_ = updates_.to(device_);
  }

  /// Where a block holds parameters that move.
  static Range range_of(const Gradients& gradients) {
    const auto& table = gradients.table();
    return {gradients.frozen_before(), gradients.wants_lookup() ? table.size() : table.dense_size()};
  }

  const std::vector<Group>& groups(const Gradients& gradients, std::span<const float> multipliers) {
    const ParameterTable& table = gradients.table();
    const Range moving = range_of(gradients);
    const std::tuple key(&table, moving.begin, std::vector<float>(multipliers.begin(), multipliers.end()));
    if (!groups_.empty() && grouped_for_ == key) return groups_;
    groups_.clear();
    for (index_t n = 0; n < table.count(); ++n) {
      if (table[n].offset < moving.begin || table[n].offset >= moving.end) continue;
      const Parameter& p = table[n];
      const float factor = detail::multiplier(multipliers, n);
      const bool decays = p.decays && options_.weight_decay > 0;
      const Range range{p.offset, n + 1 < table.count() ? table[n + 1].offset : p.offset + p.size};
      auto group = std::find_if(groups_.begin(), groups_.end(),
                                [&](const Group& g) { return g.factor == factor && g.decays == decays; });
      if (group == groups_.end()) group = groups_.insert(groups_.end(), Group{factor, decays, {}});
      if (!group->ranges.empty() && group->ranges.back().end == range.begin) group->ranges.back().end = range.end;
      else group->ranges.push_back(range);
    }
    grouped_for_ = key;
    return groups_;
  }

  void update(std::string_view where, ParameterBlock& values, Gradients& gradients, float rate,
              std::span<const float> multipliers, const std::optional<at::Tensor>& divisor,
              const std::optional<at::Tensor>& unusable) {
    detail::require_step(where, values, gradients, multipliers);
    if (first_.defined() && first_.numel() != values.size())
      raise<ShapeError>("{}: state for {} floats but {} parameters", where, first_.numel(), values.size());
    detail::guarded(where, [&] {
      const c10::NoGradGuard no_graph;
      follow(values);
      const at::Tensor g = detail::on_device_to_write(gradients.block(), device_).floats();
      if (!first_.defined()) {
        const auto first = at::zeros_like(g), second = at::zeros_like(g);
        updates_ = at::zeros({}, g.options());
        first_ = first, second_ = second;
      }
      const at::Tensor flat = detail::on_device_to_write(values, device_).floats();
      updates_.add_(1);
      if (unusable) updates_.sub_(*unusable);
      for (const Group& group : groups(gradients, multipliers)) {
        if (group.factor == 0) continue;  // frozen
        std::vector<at::Tensor> p, d, m, v, t;
        for (const Range r : group.ranges) {
          const auto part = [&](const at::Tensor& of) { return of.narrow(0, r.begin, r.end - r.begin); };
          p.push_back(part(flat)), d.push_back(part(g)), m.push_back(part(first_)), v.push_back(part(second_)),
              t.push_back(updates_);
        }
        at::_fused_adamw_(p, d, m, v, {}, t, rate * group.factor, options_.beta1, options_.beta2,
                          group.decays ? options_.weight_decay : 0.0f, options_.epsilon, false, false, divisor,
                          unusable);
      }
    });
  }

  AdamWOptions options_;
  at::Device device_;
  std::vector<Group> groups_;
  std::tuple<const ParameterTable*, index_t, std::vector<float>> grouped_for_{nullptr, 0, {}};
  at::Tensor first_, second_, updates_;
};

static_assert(Optimizer<TorchAdamW>);

}  // namespace knnbert::inline v0_1

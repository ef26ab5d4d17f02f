"""Settings of a fit."""

from typing import Literal

from pydantic import Field, model_validator

from overread.shelf import Spec

__all__ = ["FitSpec"]

Tracker = Literal["tensorboard", "mlflow"]


class FitSpec(Spec):
    """How a network is trained.

    Attributes:
        epochs: passes over the examples.
        batch: examples at once; an incomplete last batch of an epoch is left out.
        accumulate: batches whose gradients make one step.
        lr: highest learning rate.
        encoder_lr: factor on `lr` for weights of encoders.
        weight_decay: of AdamW; never on biases, norms and other vectors.
        betas: of AdamW; they stay fixed, whatever the schedule.
        eps: of AdamW, added to the root of the second moment.
        schedule: "one_cycle" (cosine up from lr/25, cosine down to lr/250000), "cosine" (linear up,
            cosine down to 0), "constant" (linear up), "restarts" (cosine down from the top again
            and again; Loshchilov & Hutter 2017) or "steps" (divided again and again).
        warmup: share of the steps in which the rate rises; not with "restarts" and "steps".
        cycle: epochs between restarts, or between the steps.
        cycle_growth: each cycle is longer than the one before by this factor.
        cycle_decay: what the rate is multiplied by in each cycle.
        cycle_warmup: epochs at the start of each cycle in which the rate rises in a line.
        lowest: share of the rate that "restarts" comes down to.
        clip: largest norm of the gradient; None = do not clip.
        ema: decay of the moving average of weights that is kept as the result; 0 = off.
        precision: of the forward pass; weights and optimiser stay float32. bf16 is for GPUs: a CPU
            without bf16 arithmetic is ten times slower with it.
        mixup: share of batches that are mixed; not for key-point networks.
        mixup_alpha: of the Beta distribution of the shares; 1 = uniform.
        freeze: epochs at the start in which encoders stay as they are.
        early_stop: epochs without a better validation before the end; the best weights are kept.
            None = train to the end and keep the last.
        channels_last: memory layout; faster for convolutions on most hardware.
        device: "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:1".
        devices, nodes: processes on each machine, and machines, that share the batches of a step:
            `accumulate` of them at least, so that every process has one. The same `batch` and
            `accumulate` give the same network on any number of them, up to rounding. A GPU each
            where there are GPUs; more than one machine needs a cluster (`overread run --ray`).
        cores: threads of each process on a cluster, which reserves as many cores.
        workers: threads that prepare batches ahead; 0 = prepare each when it is needed.
        compile: torch.compile; results may differ in the last digits.
        state_every: seconds between saved states; 0 = after each step. Each epoch's end is saved.
        log_every: steps between lines of the log.
        track: also log to these, beside log.jsonl.
    """

    epochs: int = Field(20, ge=1)
    batch: int = Field(8, ge=1)
    accumulate: int = Field(1, ge=1)
    lr: float = Field(1e-4, gt=0)
    encoder_lr: float = Field(1.0, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    schedule: Literal["one_cycle", "cosine", "constant", "restarts", "steps"] = "one_cycle"
    warmup: float = Field(0.3, ge=0, lt=1)
    cycle: float = Field(10.0, gt=0)
    cycle_growth: float = Field(1.0, ge=1)
    cycle_decay: float = Field(1.0, gt=0, le=1)
    cycle_warmup: float = Field(0.0, ge=0)
    lowest: float = Field(0.0, ge=0, lt=1)
    clip: float | None = Field(1.0, gt=0)
    ema: float = Field(0.0, ge=0, lt=1)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    mixup: float = Field(0.0, ge=0, le=1)
    mixup_alpha: float = Field(1.0, gt=0)
    freeze: int = Field(0, ge=0)
    early_stop: int | None = Field(None, ge=1)
    channels_last: bool = False
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    devices: int = Field(1, ge=1)
    nodes: int = Field(1, ge=1)
    cores: int = Field(1, ge=1)
    workers: int = Field(1, ge=0)
    compile: bool = False
    state_every: float = Field(300.0, ge=0)
    log_every: int = Field(10, ge=1)
    track: tuple[Tracker, ...] = ()

    @classmethod
    def neutral(cls) -> frozenset[str]:
        """Return the options that came later: at their default, old fits stay what they are."""
        later = ("cycle", "cycle_growth", "cycle_decay", "cycle_warmup", "lowest", "eps")
        return frozenset(later)

    @classmethod
    def speed(cls) -> frozenset[str]:
        """Return the fields that leave the result alone."""
        where = {"device", "devices", "nodes", "cores", "workers", "compile"}
        return frozenset({*where, "state_every", "log_every", "track"})

    @model_validator(mode="after")
    def _agree(self) -> "FitSpec":
        if self.freeze >= self.epochs:
            raise ValueError(f"freeze {self.freeze} must be less than epochs {self.epochs}")
        if self.cycle_warmup >= self.cycle:
            raise ValueError(
                f"cycle_warmup {self.cycle_warmup} must be less than cycle {self.cycle}"
            )
        if self.devices * self.nodes > self.accumulate:
            raise ValueError(
                f"devices {self.devices} on nodes {self.nodes} share the batches of a step, and "
                f"accumulate is {self.accumulate}; set accumulate to {self.devices * self.nodes} "
                "or more, and batch to what one device takes at once"
            )
        return self

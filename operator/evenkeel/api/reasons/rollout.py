"""Reasons of a rollout's moves: why a canary waits, steps on, is promoted or goes back."""

from __future__ import annotations

from evenkeel.api.reasons.reason import Carrier, Reason

_RECORD: tuple[Carrier, ...] = ("rollout",)

_WAITING = (
    Reason("Starting", _RECORD, "The canary's pods come up; they get no requests yet."),
    Reason(
        "Stopping",
        _RECORD,
        "`rollout.stopFirst`: the canary starts once no pod holds the room any more.",
    ),
    Reason("Stopped", _RECORD, "`rollout.stopFirst`: the room is free, so the canary starts."),
    Reason("CanaryReady", _RECORD, "The canary's pods are ready, so the first step begins."),
    Reason("WarmingUp", _RECORD, "The canary gets requests that the verdict leaves out."),
    Reason("WarmedUp", _RECORD, "The warm-up is over, so the first step begins."),
    Reason("Stepping", _RECORD, "The canary is at a step and has not been looked at yet."),
    Reason("Pausing", _RECORD, "The step's `pauseSeconds` are not over."),
    Reason("PauseOver", _RECORD, "A step without analysis ended after its pause."),
    Reason(
        "Paused",
        _RECORD,
        "`rollout.paused` holds the canary; a failing one still goes back.",
        "Set it to false to go on.",
    ),
    Reason("Promoting", _RECORD, "The canary grows to the full number of pods."),
    Reason(
        "Probation",
        _RECORD,
        "The revision serves everybody; the former one stays at `rollout.probation.replicas` pods.",
    ),
    Reason(
        "ProbationPassed",
        _RECORD,
        "The probation is over and every indicator passes, late ones too.",
    ),
    Reason(
        "ProbationOver",
        _RECORD,
        "The probation is over, or was removed; nothing was shown to be bad, and not every "
        "indicator was shown to be good.",
    ),
    Reason(
        "ProbationCutShort",
        _RECORD,
        "Another revision was wanted before the probation was over, and is tried against this one.",
    ),
    Reason(
        "Returning",
        _RECORD,
        "The probation failed: the former revision grows to the full number of pods and takes "
        "requests as they get ready.",
    ),
    Reason(
        "AwaitingGroup",
        (*_RECORD, "RolloutHealthy"),
        "The trial has passed, or is to end, and the other members of `rollout.group` are awaited.",
        "Read in the message who is missing.",
    ),
    Reason("PromotedByHand", _RECORD, "`rollout.promote` names the revision."),
    Reason(
        "SkippedByHand",
        _RECORD,
        "`rollout.skip` names the step, which is left whatever it waits for.",
    ),
    Reason("StepEdited", _RECORD, "Its step is about other requests by an edit, and begins anew."),
    Reason("StepJobRunning", _RECORD, "The step waits for its Job."),
    Reason("AskingGate", _RECORD, "The step waits for its gate, which is being asked."),
    Reason("GateWaiting", _RECORD, "The step's gate asks to wait, and is asked again."),
    Reason("Restarted", _RECORD, "`rollout.restart` begins the trial again at its first step."),
    Reason(
        "RollbackWindow",
        _RECORD,
        "The revision served within `rollout.rollbackWindow` and takes over again without a trial.",
    ),
    Reason("NoSteps", _RECORD, "Without steps a revision takes over once it is ready."),
    Reason(
        "StableUnavailable",
        _RECORD,
        "Stable has had no ready pod for `progressDeadlineSeconds`, and "
        "`rollout.onStableUnavailable` is Promote.",
    ),
    Reason(
        "Unsteady",
        _RECORD,
        "Pods were lost or crashed: they have to stay ready for the step's pause again, and for "
        "60 s at least.",
    ),
    Reason(
        "DivisionNotShown",
        _RECORD,
        "Pods of stable have no meter that can be told to copy requests, or to divide them by a "
        "header: it was made without `monitoring`, or by an earlier version of the operator. The "
        "canary gets none.",
        "Promote the revision by hand, whose pods have one, or take a step with `weight` and no "
        "`traffic.affinity.header`.",
    ),
    Reason(
        "BaselineStarting",
        _RECORD,
        "The pods of the step's `baseline` come up, or some are lost. The canary gets no more than "
        "these carry as well, and the step's time stands still.",
        "Read in the message what ails them. `rollout.skip` leaves the step without a baseline.",
    ),
    Reason(
        "BaselineUnavailable",
        _RECORD,
        "The step's `baseline` is a copy of the stable revision's Deployment, which is gone.",
        "Make the Deployment come back (undo the change of runtime or spec that it cannot be made "
        "with), or leave the step with `rollout.skip`.",
    ),
)

_TAKEN_BACK = (
    Reason(
        "GroupMemberFailed",
        _RECORD,
        "The trial of another member of `rollout.group` failed or was ended, so this one was taken "
        "back with it; the cause is that member's.",
        "Read the other member's reason in the message; after its correction give all members "
        "another `release`.",
    ),
    Reason("Aborted", _RECORD, "`rollout.abort` names the revision."),
    Reason(
        "StepJobFailed",
        _RECORD,
        "The step's Job has failed, so the canary goes back.",
        "Read the exit code and the last words in the message.",
    ),
    Reason(
        "StepJobUnfinished",
        _RECORD,
        "The step's Job did not end, by no fault of the model that is known: its deadline, an "
        "image, a node, or somebody deleted it.",
        "Correct what the message names; set `rollout.retry` to try once more.",
    ),
    Reason("GateDenied", _RECORD, "The step's gate denies it, so the canary goes back."),
    Reason(
        "GateOverdue",
        _RECORD,
        "The step's gate has asked to wait for longer than the step's `deadlineSeconds`.",
        "Set `rollout.retry` to try the revision once more.",
    ),
    Reason(
        "GateUnavailable",
        _RECORD,
        "The step's gate gives no answer that can be used. It is asked again, ever more seldom; "
        "after the step's `deadlineSeconds`, an hour by default, the canary goes back.",
        "Read why in the message; mend the gate, or pass it by `rollout.skip`.",
    ),
    Reason(
        "ApprovalOverdue",
        _RECORD,
        "Nobody approved the step within its `deadlineSeconds`.",
        "Set `rollout.retry` to try the revision once more.",
    ),
    Reason(
        "ProgressDeadlineExceeded",
        ("Ready", "rollout"),
        "Pods were not ready within `rollout.progressDeadlineSeconds`.",
        "Read in the message what ails them: image, claim, node, or a container's last words.",
    ),
    Reason(
        "PodsForbidden",
        _RECORD,
        "The API server or an admission webhook takes no pods of the revision until the deadline: "
        "Pod Security, a LimitRange, a policy. The cause is the infrastructure's, unless the "
        "model's own `podTemplate` or `resources` ask for what is refused.",
        "Read the refusal in the message.",
    ),
    Reason(
        "CanaryUnavailable",
        _RECORD,
        "Needed pods are missing: the canary gets only what the ready ones carry, and goes back "
        "if the losses last `progressDeadlineSeconds` in all.",
        "Read in the message what ails them.",
    ),
    Reason(
        "CanaryUnstable",
        _RECORD,
        "Needed pods were lost more than three times without an hour of readiness between.",
        "Read in the message what ails them.",
    ),
    Reason(
        "CanaryCrashing",
        _RECORD,
        "The canary's model server ended three times or more by its own fault, and far oftener a "
        "pod than stable's.",
        "Read the exit code and the last words in the message.",
    ),
    Reason(
        "BothCrash",
        _RECORD,
        "Stable's model servers end by their own fault about as often a pod as the canary's: the "
        "trial can neither go on nor tell anything; an hour after the stage's own time, or when "
        "its pods are lost for good, it ends.",
        "Read the last words in the message; look for what both need: memory, a volume, a node.",
    ),
    Reason(
        "Undecided",
        _RECORD,
        "The step's `deadlineSeconds` ended without a verdict, and `analysis.onUndecided` decided.",
        "Raise the weight or the deadline, or widen the limits.",
    ),
)

_VERDICT = (
    Reason(
        "WorseThanStable",
        _RECORD,
        "Fail: worse than stable by more than `tolerance`, and worse than `acceptable`.",
        "Read the counts in the message; with slow scrapes set `confirmations` to 2.",
    ),
    Reason("AboveMaxRatio", _RECORD, "Fail: the bad ratio is above `maxRatio`."),
    Reason("AllIndicatorsPass", _RECORD, "Pass: every indicator passes."),
    Reason("WithinAcceptable", _RECORD, "Pass: the bad ratio is below `acceptable`."),
    Reason("NoWorseThanStable", _RECORD, "Pass: within `tolerance` of stable."),
    Reason(
        "NoData",
        (*_RECORD, "Monitored"),
        "Undecided: no canary requests, at all or in this step. Monitored: no row was counted in "
        "the last hour.",
        "Check the traffic; run the query in Prometheus; look at labels and scrapes.",
    ),
    Reason(
        "TooFewRequests",
        _RECORD,
        "Undecided: fewer canary requests in this step than `minRequests`.",
        "Wait, or raise the weight.",
    ),
    Reason(
        "NoStableTraffic",
        _RECORD,
        "Undecided: stable has no requests to compare with; `acceptable` alone may still pass.",
        "Check stable's series in Prometheus.",
    ),
    Reason(
        "NotEnoughEvidence",
        _RECORD,
        "Undecided: the counts show neither.",
        "Wait, raise the weight, or widen the limits.",
    ),
    Reason(
        "AwaitingConfirmation",
        _RECORD,
        "Undecided: bad, but fewer comparisons than `confirmations` agree so far.",
    ),
    Reason(
        "InconsistentCounts",
        _RECORD,
        "Undecided: more bad events than events.",
        "Let both queries select the same requests.",
    ),
    Reason(
        "NotANumber",
        _RECORD,
        "Undecided: a query gives NaN, an infinity, a negative number or one over 1e15.",
        "Run the query named in the message; counters are numbers from 0 to 1e15.",
    ),
    Reason(
        "CountsVanished",
        _RECORD,
        "Undecided: a process has a total, but its good or bad events are no longer there.",
        "Run both queries in Prometheus; look for a renamed metric or a changed relabelling.",
    ),
    Reason(
        "ScrapedApart",
        _RECORD,
        "Undecided: total and good or bad events of a process come from different scrapes.",
        "Take both from one target.",
    ),
    Reason(
        "TooManyProcesses",
        _RECORD,
        "Undecided: more than 512 processes count.",
        "Sum the queries `by (pod)`.",
    ),
    Reason("NoIndicators", _RECORD, "Undecided: there is no indicator.", "Add one."),
    Reason(
        "PrometheusUnavailable",
        _RECORD,
        "Undecided: Prometheus does not answer, or not as it should; nothing is promoted. After "
        "three failures in a row it is asked less often, at least every 30 s.",
        "Read its answer in the message; check `analysis.prometheus.url` or the operator's.",
    ),
    Reason(
        "PrometheusAccessDenied",
        _RECORD,
        "Undecided: Prometheus refuses the credentials (401, 403), or they cannot be read.",
        "Correct the headers, Secrets or rights that the message names.",
    ),
    Reason(
        "PrometheusNotAllowed",
        _RECORD,
        "Undecided: `analysis.prometheus.url` is an address that may not be asked.",
        "Leave `url` out, or let who runs the operator add it to `prometheus.allowed`.",
    ),
    Reason(
        "QueryRefused",
        _RECORD,
        "Undecided: Prometheus cannot parse or evaluate the query.",
        "Run the query in Prometheus; correct the indicator.",
    ),
    Reason(
        "InvalidIndicator",
        _RECORD,
        "Undecided: the indicator has no usable queries, limits or kept evidence.",
        "Correct what the message names.",
    ),
)

ROLLOUT = _WAITING + _TAKEN_BACK + _VERDICT

"""The words of refusals, as data: the codes, numbers and sentences of each kind, for classify.py."""

from __future__ import annotations

import re

CODES: dict[str, str] = {
    "quota": """
        insufficient_quota quota_exceeded quota_exhausted exceeded_current_quota_error insufficient_balance
        insufficient_credits insufficient_funds insufficient_user_quota pre_consume_token_quota_failed
        billing_hard_limit_reached billing_not_active billing_error budget_exceeded BudgetExceededError
        ExceededTokenBudget ExceededBudget payment_required usage_limit_reached usage_limit_exceeded
        usage_not_included Arrearage AllocationQuota.FreeTierOnly credit_limit_reached
    """,
    "context": """
        context_length_exceeded context_window_exceeded ContextWindowExceededError ContextLengthExceededError
        context_exceeded context_overflow context_size_exceeded exceed_context_size_error context_too_long
        model_max_prompt_tokens_exceeded max_prompt_tokens_exceeded model_context_window_exceeded prompt_too_long
        input_too_long request_too_large token_limit_exceeded
    """,
    "tools": "tools_not_supported tool_use_not_supported",
    "images": "images_not_supported image_input_not_supported vision_not_supported",
    "attachment": """
        unsupported_image_media_type unsupported_image invalid_image invalid_image_format invalid_image_url
        image_parse_error image_too_large image_too_small image_file_too_large unsupported_image_format
    """,
    "roles": "invalid_request_message_order",
    "memory": "out_of_memory OutOfMemoryError insufficient_memory cuda_out_of_memory",
    "loading": "model_loading loading_model model_is_loading ModelNotReadyException",
    "region": "unsupported_country_region_territory unsupported_country unsupported_region",
    "access": "key_model_access_denied team_model_access_denied user_model_access_denied model_access_denied",
    "content": """
        content_filter content_filter_error content_policy_violation ContentPolicyViolationError
        ResponsibleAIPolicyViolation moderation_blocked content_moderation data_inspection_failed DataInspectionFailed
        prohibited_content blocklist safety recitation spii invalid_prompt content_blocked guardrail_intervened
        sensitive cyber_policy_violation
    """,
    "model": """
        model_not_found ModelNotFoundError model_not_exist model_not_supported unknown_model invalid_model
        invalid_model_id model_does_not_exist DeploymentNotFound unsupported_model model_deprecated
        resource_not_found_error
    """,
    "endpoint": """
        unknown_url unknown_endpoint unsupported_endpoint unsupported_api_for_model endpoint_not_found route_not_found
        invalid_url method_not_allowed unimplemented not_implemented
    """,
    "unavailable": """
        overloaded_error overloaded engine_overloaded_error engine_overloaded server_overloaded server_is_overloaded
        service_unavailable ServiceUnavailableException ServiceUnavailableError model_overloaded server_busy
        capacity_exceeded
    """,
    "rate": """
        rate_limit_exceeded rate_limit_error RateLimitError rate_limited rate_limit rate_limit_reached
        rate_limit_reached_error too_many_requests ThrottlingException Throttling Throttling.RateQuota
        Throttling.AllocationQuota Throttling.BurstRate RequestLimitExceeded slow_down user_rate_limit_exceeded
        concurrency_limit_exceeded resource_exhausted
    """,
    "key": """
        invalid_api_key incorrect_api_key incorrect_api_key_error api_key_invalid api_key_expired InvalidApiKey
        api_key_service_blocked authentication_error AuthenticationError invalid_authentication_error unauthenticated
        unauthorized token_not_found_in_db no_auth_credentials UnrecognizedClientException InvalidSignatureException
        ExpiredTokenException account_deactivated expired_key token_expired invalid_access_token
    """,
    "timeout": """
        timeout timeout_error TimeoutError request_timeout deadline_exceeded gateway_timeout upstream_timeout
        ModelTimeoutException
    """,
}
"""Kind → machine codes and types that are sufficient evidence. The first kind that has a code wins."""

NUMBERS = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), "key"),
    **dict.fromkeys(("1113", "1304", "1308", "1309", "1310"), "quota"),
    **dict.fromkeys(("1211", "1221"), "model"),
    **dict.fromkeys(("1302", "1303", "1305"), "rate"),
    "1220": "access",
    "1261": "context",
    "1301": "content",
    "3051": "context",
    "3230": "roles",
}
"""Numeric codes in `code` or `type` (z.ai and BigModel 1xxx, Mistral 3xxx)."""

BASE_NUMBERS = {
    "1002": "rate",
    "1004": "key",
    "1008": "quota",
    "1026": "content",
    "1027": "content",
    "1039": "context",
    "2049": "key",
    "2056": "quota",
}
"""MiniMax: the `status_code` of its `base_resp`."""

WEAK = {
    400: "invalid_request_error BadRequestError bad_request invalid_argument ValidationException validation",
    403: "permission_error permission_denied forbidden AccessDeniedException access_denied",
    404: "not_found_error not_found NotFoundError",
    500: "server_error api_error internal_server_error internal_error InternalServerError internal upstream_error",
    503: "unavailable unavailable_error",
}
"""Status → types that mean no more than the status; they replace a missing status."""


def plain(code: str) -> str:
    """A code without its case and separators: `ContextLengthExceeded` and `context_length_exceeded` are the same."""
    return re.sub(r"[^a-z0-9]", "", code.lower())


KIND_OF = {plain(code): kind for kind, codes in reversed(CODES.items()) for code in codes.split()}
STATUS_OF = {plain(code): status for status, codes in WEAK.items() for code in codes.split()}


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


PER_MINUTE = _any(
    r"\b(?:tokens|requests|queries) per (?:min|sec|hour)",
    r"\b[TRQ]P[MS]\b",
    r"\brate[ _-]?limit",
    r"\btoo many (?:requests|concurrent)",
    r"\btoo many tokens, please wait",
    r"\bthrottl",
    r"\bconcurren(?:t|cy) (?:request )?limit",
    r"error code: 1015",
    "请求(?:过于|太)频繁",
)
"""A limit per second, minute or hour."""
PER_DAY = _any(
    r"\b(?:per|a|each)[ _-]?(?:day|week|month)\b",
    r"PerDay",
    r"\b[TR]PD\b",
    r"\b(?:daily|weekly|monthly|hourly|session) (?:\w+ ){0,2}(?:limit|quota)",
    r"\busage limit",
    r"\blimit: 0\b",
)
"""A limit that does not pass within seconds."""
NO_CREDIT = _any(
    r"\binsufficient[ _](?:balance|credit|quota|fund)",
    r"\b(?:credit|account) balance\b.{0,40}\b(?:too low|insufficient|negative|zero|exhausted)",
    r"\b(?:requires|need|add|purchase|out of|not enough|used up|no)\b.{0,30}\bcredits?\b",
    r"\bexceeded your (?:current|monthly|included)\b.{0,20}\b(?:quota|credits)",
    r"\bdoesn't have any credits",
    r"\bquota\b.{0,40}\b(?:exceeded|exhausted|used up|reached)",
    r"\bbudget has been exceeded",
    r"\b(?:exceeded|crossed) (?:token )?budget",
    r"\bbilling (?:hard limit|is not active|not active|has been disabled)",
    r"\bpayment (?:is )?required",
    r"\bspend(?:ing)? limit",
    r"\bfree (?:tier|quota)\b.{0,40}\b(?:exhausted|used up|exceeded)",
    "余额不足|欠费",
)

OUTPUT_LIMIT = _any(
    r"\bmax_(?:completion_|output_|new_)?tokens\b['\"`]?.{0,60}"
    r"\b(?:too large|too high|above|less than or equal|valid range)",
    r"\bmax_(?:completion_|output_)?tokens: \d+ > \d+",
    r"\bat most [\d,]+ (?:completion|output) tokens",
    r"\bmaximum (?:allowed )?number of output tokens",
    r"\brange of max_(?:completion_|output_)?tokens should be",
    r"\bvalid range of max_(?:completion_|output_)?tokens",
    r"\bmaximum tokens you requested exceeds the model limit",
    r"\bmax_(?:completion_|output_|new_)?tokens\b.{0,60}\b(?:exceeds?|greater than|larger than|cannot exceed)"
    r".{0,40}\b(?:output|completion|allowed|supported)",
)
"""The requested length of the answer is too large, not the conversation."""

SENTENCES: list[tuple[str, re.Pattern[str]]] = [
    (
        "ids",
        _any(
            r"\btool[ _]call[ _]ids?\b.{0,60}\bmust\b",
            r"\btool[ _]call[ _]ids? should be\b",
            r"\bmust be a-z, A-Z, 0-9, with a length of 9",
            r"\btool_use\.id: .{0,20}should match pattern",
        ),
    ),
    (
        "system",
        _any(
            r"\bsystem (?:role|messages?|prompts?|instructions?)\b.{0,30}\bnot (?:supported|allowed|enabled)",
            r"\bdeveloper instructions? (?:is|are) not (?:enabled|supported)",
            r"\bdoes not support (?:the )?['\"]?system['\"]? (?:role|with this model|messages?)",
            r"\broles? (?:is|are) supported, got ['\"]?system",
        ),
    ),
    (
        "roles",
        _any(
            r"\broles must alternate",
            r"\balternat\w+ (?:between )?['\"]?user['\"]?",
            r"\bonly user(?:,)? (?:and )?(?:assistant|model)\b.{0,30}\broles are supported",
            r"\bsystem messages? (?:must|should|can only) (?:be|appear)\b.{0,30}\b(?:beginning|start|first)",
            r"\bunexpected role '?\w+'? after role",
            r"\bexpected last role\b",
            r"\bcannot have 2 or more assistant messages",
            r"\bmust be followed by tool messages",
            r"\btool_use.{0,3} ids were found without",
            r"\b(?:last|first) message must (?:be|have)\b.{0,30}\b(?:user|role)",
            r"\bmultiple system messages",
            r"\bnot the same number of function calls and responses",
            r"\bmessages with role ['\"`]?tool['\"`]? must be a response",
            r"\bfunction call turn comes immediately after",
        ),
    ),
    ("items", _any(r"\bcannot determine type of ['\"]?item")),
    (
        "tools",
        _any(
            r"\bdo(?:es)?(?: not|n't) (?:currently )?support (?:native )?"
            r"(?:tools?\b|tool[ _-](?:use|calls?|calling|choice)|function[ _-](?:calls?|calling))",
            r"\b(?:tool (?:use|calling|calls|choice)|function calling|tools?)[`'\"]? (?:is|are)(?: not|n't) "
            r"(?:supported|enabled|available)",
            r"\bno endpoints found that support tool",
            r"--enable-auto-tool-choice",
            r"\btools? param requires --jinja",
            r"\bunsupported param(?:eter)?: ['\"]?tools?\b",
            r"\btools? (?:param|parameter|field)\b.{0,30}\bnot supported",
            r"\b(?:tools?|tool[ _](?:use|choice|calling))\b.{0,12}\bnot supported",
            r"\bextra inputs are not permitted: body\.tools$",
        ),
    ),
    (
        "attachment",
        _any(
            r"\bimages?(?: file)?(?: size)? exceeds? (?:the )?(?:\d[\d.,]* ?[MK]i?B|maximum|max|size|limit)",
            r"\bimage dimensions\b.{0,20}\bexceed",
            r"\b(?:image|file|document|pdf)s? (?:is |are )?too (?:large|big|small)\b",
            r"\btoo many (?:images?|pdfs?|files|documents|pages)\b",
            r"\bat most [1-9]\d* (?:images?\b|image\(s\))",
            r"\bmaximum of \d+ (?:images?|pdf pages|pages|files|documents)\b",
            r"\b(?:could not|unable to|cannot|failed to) (?:process|decode|load|read|parse|open) "
            r"(?:the |this |input |an |a )*(?:image|pdf|document)\b",
            r"\bimage does not match the provided media type",
            r"\bimage media type mismatch",
            r"\binvalid image (?:data|input|format)",
            r"\binvalid base64 image",
            r"\bnot represent a valid image",
            r"\bimage data\b.{0,40}\b(?:not valid|invalid)",
            r"\bunsupported image (?:type|format|media)",
            r"\buploaded an unsupported image",
            r"\bpdf\b.{0,60}\b(?:not valid|password[ -]protected|encrypted|corrupt\w*)",
            r"\bdocument has no pages",
            r"图片输入格式",
        ),
    ),
    (
        "files",
        _any(
            r"\bdo(?:es)?(?: not|n't) support (?:the )?(?:pdfs?\b|(?:documents?|files?)"
            r"(?=(?: (?:inputs?|contents?|attachments?|uploads?|parts?|types?|blocks?))*(?: *$| *[^\w\s])))",
            r"\b(?:pdf|document|file|application/pdf)s?(?: inputs?| content| attachments?| uploads?)? "
            r"(?:is|are)(?: not|n't) (?:supported|enabled|allowed) (?:by|for|in|with|on) (?:this|the) model",
            r"\bno endpoints found that support (?:pdf|file|document)",
            r"\bunknown variant .?(?:input_)?file\b",
            r"\bfile must have a file_id or file_data",
            r"\binvalid part type: ?['\"]?(?:input_)?file",
            r"\binvalid value: ?['\"](?:input_)?file['\"]",
            r"\bunsupported (?:chat )?content (?:part )?type:? ['\"]?(?:input_)?file",
            r"\bunsupported content\[\]\.type",  # llama.cpp; it has another sentence for images
            r"\bobjects must have a ['\"]type['\"] field that is either",  # LM Studio, which accepts images
            r"\bunsupported (?:mime|media) ?type:? ['\"]?application/pdf",
            r"\binvalid message format\b",  # Ollama; it has another sentence for images
        ),
    ),
    (
        "images",
        _any(
            r"\bdo(?:es)?(?: not|n't) support (?:image|vision|multimodal|multi-modal|image_url|picture|the image)",
            r"\b(?:image|vision|multimodal)s?(?: inputs?| content| input modality)? (?:is|are)(?: not|n't) "
            r"(?:supported|enabled|allowed)",
            r"\bno endpoints found that support image",
            r"\bis not a multimodal model",
            r"\bunsupported content part type\b.{0,40}\bimage",
            r"\bunknown variant .?image",
            r"\bnot (?:compiled|built) (?:for|with) multimodal",
            r"\bmissing data required for image input",
            r"\bimage_url is (?:not supported|only supported)",
            r"\bat most 0 image",
            r"\binvalid part type: ?['\"]?(?:input_)?image",
            r"\binvalid value: ?['\"](?:input_)?image(?:_url)?['\"].{0,40}\bvalues are: ?['\"](?:input_)?text",
            r"\bonly ['\"]?text['\"]? content type is supported",
            r"\bunexpected item type in content",
            r"\bcontent['\"]? ?:? ?(?:value )?must be a string",
            r"参数非法.{0,12}取值范围 ?\[['\"](?:text|$)",
        ),
    ),
    (
        "memory",
        _any(
            r"\brequires more (?:system |gpu |video )?memory",
            r"\bout[ -]of[ -]memory\b",
            r"\bOutOfMemory",
            r"\bErrorOutOfDeviceMemory",
            r"\binsufficient (?:v?ram|memory|gpu memory|system resources)",
            r"\bnot enough (?:v?ram|memory|gpu memory)",
            r"\bcudaMalloc failed",
            r"\b(?:unable|failed) to allocate\b.{0,40}\b(?:buffer|memory|cache)",
        ),
    ),
    ("quota", NO_CREDIT),
    ("rate", PER_MINUTE),
    ("quota", _any(r"\busage limit", r"\bdaily (?:limit|quota)")),
    ("output", OUTPUT_LIMIT),
    (
        "context",
        _any(
            r"\bmax(?:imum)?(?: allowed)? (?:context|prompt|input|model|sequence)"
            r"(?: length| window| size| len| tokens?)",
            r"\bmaximum (?:allowed length|number of (?:input |prompt )?tokens)\b",
            r"\bcontext[ _-]?(?:length|window|size|limit)\b.{0,60}"
            r"\b(?:exceed|overflow|too (?:long|large|small)|full|not enough|is only|of only|only supports)",
            r"\bcontext (?:is|the|was)? ?(?:full|too long|overflow|exceeded)",
            r"\b(?:exceed|overflow|larger than|longer than|greater than|bigger than|beyond|fits? (?:in|into|within))"
            r".{0,60}\b(?:context|max_model_len|model(?:'s)? (?:maximum )?(?:length|token)|token limit|n_ctx)\b",
            r"\b(?:prompt|input|inputs|message|messages|conversation|history|chat)(?: context| token)?(?: length)?"
            r" (?:is |are |was )?too (?:long|large)\b",
            r"\b(?:input|prompt|token) (?:length|token count|count|tokens?)\b.{0,40}\bexceed",
            r"\btokens\b.{0,20}\bexceeds the limit of",
            r"\btoo many (?:input |prompt )?tokens\b",
            r"\btoo many total text bytes",
            r"\btokens of context\b",
            r"\binput_tokens\b.{0,40}(?:>|exceed)",
            r"\btokens\b.{0,40}\bexceed\w* (?:the )?max",
            r"\bmalformed input request: expected maxLength",
            r"\b(?:number|length|amount) of (?:\w+ ){0,2}tokens\b.{0,60}\b(?:exceed|greater|larger|too)",
            r"\breduce the length of (?:the|your) (?:messages|prompt|input|conversation)",
            r"\btoken limit (?:is )?(?:exceeded|reached)",
            r"\bexceed\w* (?:the )?(?:model )?token limit",
            r"\bconversation (?:length exceeded|limit)",
            r"\brange of input length should be",
            r"\btrying to keep the first \d+ tokens",
            r"\bprompt has [\d,]+ tokens",
            r"\binputs?`? (?:tokens? \+|must have less than)",
            r"\binvalid '(?:messages|input)\b[^']{0,40}': (?:string|array) too long",
            r"\b(?:request|payload)(?: entity| payload)?(?: size)? (?:is )?too large",
            r"\b(?:request|payload)(?: payload)?(?: size)? exceeds (?:the )?(?:limit|maximum)",
            r"\bmax_tokens must be at least 1, got -",
            r"\bextra usage is required for long context",
            "上下文.{0,12}(?:超|过长|限制)|(?:超出|超过).{0,12}(?:上下文|最大长度|长度限制)|输入.{0,8}(?:过长|超过|超出)",
        ),
    ),
    (
        "content",
        _any(
            r"\bflagged\b",
            r"\bcontent management policy",
            r"\bcontent (?:policy|filter|moderation)",
            r"\bsafety (?:system|filter|settings|reasons)",
            r"\bviolat\w+\b.{0,40}\b(?:polic|guideline|terms)",
            r"\bcontent exists risk",
            r"\binappropriate content",
            r"\bblocked by\b.{0,30}\b(?:guardrail|safety|moderation|filter)",
            r"\bprohibited (?:content|use)",
            "敏感|违规",
        ),
    ),
    (
        "access",
        _any(
            r"\b(?:do(?:es)? ?n[o']t|not) (?:have )?(?:access|allowed|authorized|permitted|permission)\b"
            r".{0,60}\bmodel\b",
            r"\bmodel\b.{0,60}\b(?:requires|needs) (?:a |an )?(?:\w+ )?(?:subscription|plan|upgrade)",
            r"\borganization must be verified",
            r"\bkey not allowed to access",
            r"\bon-demand throughput is",
        ),
    ),
    (
        "region",
        _any(
            r"\b(?:country|region|territory|location)\b.{0,60}\bnot (?:supported|available|allowed)",
            r"\bnot (?:supported|available) in your (?:country|region|location)",
            r"\blocation is not supported",
        ),
    ),
    (
        "loading",
        _any(
            r"(?<!error )(?<!failed )\bloading (?:the )?model\b",
            r"\bmodel\b.{0,80}\bis (?:currently |still |being )?(?:loading|loaded now|starting)",
            r"\b(?:still|currently) (?:being )?load(?:ing|ed)\b",
            r"\bmodel is not ready",
        ),
    ),
    ("unloaded", _any(r"\bno models? (?:is |are |currently )?loaded", r"\bmodel (?:is )?(?:not loaded|unloaded)\b")),
    (
        "only_responses",
        _any(
            r"\bonly (?:supported|available) in v1/responses",
            r"\buse (?:the )?/?v1/responses\b",
            r"\buse the responses (?:api|endpoint)",
        ),
    ),
    (
        "request",
        _any(
            r"\b(?:item|response|file) with id\b.{0,80}\bnot found",
            r"\bno endpoints found matching",
            r"\b(?:unsupported|unrecognized|unknown) (?:request )?(?:parameter|argument|value)",
            r"\b(?:parameter|argument|field|option)\b.{0,60}\bnot supported",
        ),
    ),
    (
        "endpoint",
        _any(
            r"\bunsupported endpoint",
            r"\bunexpected endpoint",
            r"\binvalid url\b",
            r"\bunknown request url",
            r"\bunrecognized request url",
            r"\bcannot (?:POST|GET) /",
            r"\bno route\b",
            r"\broute\b.{0,60}\bnot found",
            r"\bmethod not allowed",
            r"\bnot supported by this endpoint",
            r"\b404 page not found",
            r"\bno (?:static|handler) (?:resource|found)",
            r"\b(?:use|try) (?:the )?/?v1/chat/completions",
            r"\bendpoint\b.{0,40}\bnot (?:found|supported|implemented|exist)",
            r"\bresponses api\b.{0,30}\bnot (?:supported|available|implemented)",
        ),
    ),
    (
        "model",
        _any(
            r"\bmodels?\b.{0,120}\b(?:not found|not exist|doesn't exist|not available|no longer available|not supported"
            r"|is not a valid|isn't a valid|is unknown|been (?:deprecated|decommissioned|retired|removed))",
            r"\b(?:unknown|invalid|unsupported|no such|incorrect|nonexistent) model\b",
            r"\bis not a valid model",
            r"\bnot found the model",
            r"\bnot a chat model",
            r"^models?: *\S+ *$",
            r"\btry pulling it first",
            r"\bno (?:endpoints?|available channel|allowed providers)\b.{0,40}\b(?:for|are)\b",
            r"\bdeployment\b.{0,60}\bdoes not exist",
            r"\brequested entity was not found",
            "模型.{0,20}不存在",
        ),
    ),
    (
        "key",
        _any(
            r"\b(?:incorrect|invalid|missing|wrong|expired|bad|disabled|no) (?:x-)?api[ _-]?key",
            r"\bapi[ _-]?key\b.{0,60}"
            r"\b(?:not valid|invalid|missing|required|expired|disabled|revoked|leaked|not found|incorrect)",
            r"\bno auth credentials",
            r"\bunauthori[sz]ed\b",
            r"\bauthentication (?:fail|error|required)",
            r"\binvalid (?:authentication|credentials|token|bearer)",
            r"\bkey\b.{0,30}\b(?:revoked|expired|blocked|deactivated)",
        ),
    ),
    (
        "unavailable",
        _any(
            r"\boverload",
            r"\b(?:server|service|system|model) (?:is )?(?:currently )?(?:busy|unavailable|at capacity)",
            r"\btemporarily unavailable",
            r"\bmaximum pending requests",
            r"\bhigh (?:demand|load|traffic)",
            r"\bno healthy upstream",
            r"\bupstream connect error",
        ),
    ),
    ("unloadable", _any(r"\bfailed to load model", r"\berror loading model", r"\bmodel has crashed")),
    ("proxy", _any(r"^error code: 1\d\d\d$")),
    ("timeout", _any(r"\btimed? ?-?out\b", r"\bdeadline exceeded")),
]
"""Kind → sentences that show it. The first match wins, so specific patterns stand before general ones."""

_P = r"\d[\d,]{0,14}"
_N = rf"{_P}(?![\d,.]*(?: ?>| ?%|[kKmM]\b))"
"""A complete number: not the first of two that are compared, and not short for thousands (`32k`)."""

WINDOW = [
    _any(rf"\bexceed context limit: {_P} \+ {_P} > (?P<n>{_P})"),
    _any(
        rf"\bcontext (?:length|window|size|limit)(?: is| of| only| supports| to|:|=)* ?\(?(?P<n>{_N})",
        rf"\bcontext of (?P<m>{_N})",
    ),
    _any(
        r"\bmax(?:imum)?(?: allowed)? (?:context|prompt|model|sequence|input|allowed)"
        rf"(?: length| window| size| len| tokens?)*(?: is| of|:|=)? ?(?:only )?\(?(?P<n>{_N})"
    ),
    _any(rf"> (?P<n>{_N}) maximum", rf"\bwith (?P<m>{_N}) maximum context"),
    _any(rf"\btokens allowed \(?(?P<n>{_N})", rf"\bat most (?P<m>{_N}) tokens of context"),
    _any(
        rf"\bexceeds? (?:the )?(?:configured )?limit of \(?(?P<n>{_N})",
        rf"\bexceeds? the limit \((?P<m>{_N})",
        rf"\btoken limit:? (?P<o>{_N})",
    ),
    _any(rf"\brange of input length should be \[\d+, ?(?P<n>{_N})"),
    _any(
        rf"\b(?:n_ctx\w*|max_model_len|max_context\w*)\W{{1,3}}(?P<n>{_N})",
        rf"\bmax input tokens=(?P<m>{_N})",
        rf"\bmax(?: tokens)?:? (?P<o>{_N})",
    ),
    _any(rf"\bmust be <= (?P<n>{_N})", rf"\bmust have less than (?P<m>{_N}) tokens"),
    _any(rf"\b{_P}\)? > \(?(?P<n>{_N})(?! ?[-+])"),
]
"""Sentences that name the context window in tokens."""

ASKED = [
    _any(rf"\bexceed context limit: ({_P}) \+ ({_P}) >"),
    _any(rf"\byou passed ({_N}) input tokens and requested ({_N}) output tokens"),
    _any(rf"\bgiven: ({_N}) `?inputs`? tokens and ({_N}) `?max_new_tokens"),
    _any(rf"\b(?:you )?requested (?:about |a total of |approximately )?({_N}) ?(?:tokens|\()"),
    _any(rf"\bresulted in ({_N}) tokens"),
    _any(rf"\btoo long: ({_N})"),
    _any(
        rf"\b(?:request|prompt|input|message|inputs|messages)(?: length| token count| tokens?)?"
        rf"(?: contains| has| had| of|:)?(?: at least| about)? ?\(?(?:total )?(?:length )?({_N})"
    ),
    _any(rf"\brequested tokens? \(({_N})\)", rf"\(requested: ({_N})\)"),
    _any(rf"\bkeep the first ({_N}) tokens", rf"\bgiven: ({_N})", rf"\bgot[=:] ?({_N})"),
    _any(rf"\b(?:input_)?tokens \(({_P})\) >", rf"\b({_P}) > {_N}(?! ?[-+])"),
]
"""Sentences that name the size of the request in tokens; two groups are summed."""

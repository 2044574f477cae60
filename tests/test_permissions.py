"""Who may call what: every address with every role, asked over HTTP. An address that is not in the table fails, so
nobody opens one without saying to whom; things of others are not found by those who may use the address.
"""

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.access import entitlements
from app.core import db
from tests import everywhere
from tests.cast import Cast, Person
from tests.everywhere import address
from tests.office import an_order
from tests.school import a_course

ROLES = ("visitor", "member", "instructor", "support", "admin", "owner", "bookkeeper")
# A role that a school made for itself.
BOOKKEEPER = ["admin.enter", "orders.view", "orders.refund", "orders.export", "people.view", "audit.view"]

# The instructor teaches the course, and the things of members are not theirs: + says that the role is let in.
TABLE = """
                                                                      visitor
                                                                      |  member
                                                                      |  |  instructor
                                                                      |  |  |  support
                                                                      |  |  |  |  admin
                                                                      |  |  |  |  |  owner
                                                                      |  |  |  |  |  |  bookkeeper
GET  /                                                                +  +  +  +  +  +  +
GET  /.well-known/change-password                                     +  +  +  +  +  +  +
GET  /.well-known/security.txt                                        +  +  +  +  +  +  +
GET  /account/corner                                                  +  +  +  +  +  +  +
GET  /cart                                                            +  +  +  +  +  +  +
GET  /cart/count                                                      +  +  +  +  +  +  +
POST /cart/items                                                      +  +  +  +  +  +  +
POST /cart/items/<slug>/agreement                                     +  +  +  +  +  +  +
POST /cart/items/<slug>/removal                                       +  +  +  +  +  +  +
GET  /checkout                                                        +  +  +  +  +  +  +
POST /checkout                                                        +  +  +  +  +  +  +
GET  /checkout/confirmations/<token>                                  +  +  +  +  +  +  +
POST /checkout/confirmations/<token>                                  +  +  +  +  +  +  +
GET  /checkout/success                                                +  +  +  +  +  +  +
GET  /courses                                                         +  +  +  +  +  +  +
GET  /courses/<slug>                                                  +  +  +  +  +  +  +
GET  /courses/<slug>/offer                                            +  +  +  +  +  +  +
GET  /courses/<slug>/preview/<lesson_slug>                            +  +  +  +  +  +  +
GET  /email-changes/<token>                                           +  +  +  +  +  +  +
POST /email-changes/<token>                                           +  +  +  +  +  +  +
POST /email-changes/<token>/lock                                      +  +  +  +  +  +  +
POST /email-changes/<token>/removal                                   +  +  +  +  +  +  +
GET  /forms/<slug>                                                    +  +  +  +  +  +  +
POST /forms/<slug>                                                    +  +  +  +  +  +  +
GET  /forms/<slug>/drafts/<token>                                     +  +  +  +  +  +  +
POST /forms/<slug>/drafts/<token>                                     +  +  +  +  +  +  +
POST /forms/<slug>/drafts/<token>/mail                                +  +  +  +  +  +  +
GET  /forms/<slug>/embed                                              +  +  +  +  +  +  +
POST /forms/<slug>/pin                                                +  +  +  +  +  +  +
GET  /forms/embed.js                                                  +  +  +  +  +  +  +
GET  /forms/<slug>/stamp                                              +  +  +  +  +  +  +
POST /forms/<slug>/left                                               +  +  +  +  +  +  +
GET  /forms/<slug>/thanks/<token>                                     +  +  +  +  +  +  +
GET  /forms/<slug>/payments/<token>                                   +  +  +  +  +  +  +
POST /forms/<slug>/payments/<token>                                   +  +  +  +  +  +  +
GET  /forms/<slug>/confirmations/<token>                              +  +  +  +  +  +  +
POST /forms/<slug>/confirmations/<token>                              +  +  +  +  +  +  +
POST /forms/<slug>/confirmations/<token>/links                        +  +  +  +  +  +  +
GET  /health/live                                                     +  +  +  +  +  +  +
GET  /health/ready                                                    +  +  +  +  +  +  +
GET  /login                                                           +  +  +  +  +  +  +
POST /login                                                           +  +  +  +  +  +  +
POST /login/passkey                                                   +  +  +  +  +  +  +
POST /login/passkey/challenges                                        +  +  +  +  +  +  +
POST /login/google                                                    +  +  +  +  +  +  +
GET  /login/google/callback                                           +  +  +  +  +  +  +
GET  /login/link                                                      +  +  +  +  +  +  +
POST /login/link                                                      +  +  +  +  +  +  +
GET  /login/link/<token>                                              +  +  +  +  +  +  +
POST /login/link/<token>                                              +  +  +  +  +  +  +
GET  /login/link/sent                                                 +  +  +  +  +  +  +
GET  /login/second-step                                               +  +  +  +  +  +  +
POST /login/second-step                                               +  +  +  +  +  +  +
POST /login/second-step/passkey                                       +  +  +  +  +  +  +
POST /login/second-step/passkey/challenges                            +  +  +  +  +  +  +
POST /login/second-step/removal                                       +  +  +  +  +  +  +
POST /logout                                                          +  +  +  +  +  +  +
GET  /media/<public_id>/<file_name>                                   +  +  +  +  +  +  +
GET  /not-me/<token>                                                  +  +  +  +  +  +  +
POST /not-me/<token>                                                  +  +  +  +  +  +  +
GET  /privacy/keep/<token>                                            +  +  +  +  +  +  +
POST /privacy/keep/<token>                                            +  +  +  +  +  +  +
GET  /password/forgot                                                 +  +  +  +  +  +  +
POST /password/forgot                                                 +  +  +  +  +  +  +
GET  /password/reset/<token>                                          +  +  +  +  +  +  +
POST /password/reset/<token>                                          +  +  +  +  +  +  +
GET  /password/required                                               +  +  +  +  +  +  +
POST /password/required                                               +  +  +  +  +  +  +
POST /password/strength                                               +  +  +  +  +  +  +
GET  /password/sent                                                   +  +  +  +  +  +  +
GET  /plates/<slug>.svg                                               +  +  +  +  +  +  +
GET  /register                                                        +  +  +  +  +  +  +
GET  /robots.txt                                                      +  +  +  +  +  +  +
GET  /sitemap.xml                                                     +  +  +  +  +  +  +
POST /register                                                        +  +  +  +  +  +  +
GET  /register/sent                                                   +  +  +  +  +  +  +
GET  /teachers/<slug>                                                  +  +  +  +  +  +  +
GET  /theme.css                                                       +  +  +  +  +  +  +
GET  /time                                                            +  +  +  +  +  +  +
GET  /verify/<token>                                                  +  +  +  +  +  +  +
POST /verify/<token>                                                  +  +  +  +  +  +  +
POST /verify/<token>/renewal                                          +  +  +  +  +  +  +
POST /webhooks/stripe                                                 +  +  +  +  +  +  +

GET  /api/v1/openapi.json                                             +  +  +  +  +  +  +

GET  /api/v1/courses                                                  -  -  -  -  -  -  -
GET  /api/v1/me                                                       -  -  -  -  -  -  -
GET  /api/v1/orders                                                   -  -  -  -  -  -  -
GET  /api/v1/orders/<public_id>                                       -  -  -  -  -  -  -
GET  /api/v1/people                                                   -  -  -  -  -  -  -

GET  /account                                                         -  +  +  +  +  +  +
GET  /account/privacy                                                 -  +  +  +  +  +  +
POST /account/privacy/consents                                        -  +  +  +  +  +  +
GET  /account/privacy/erasure                                         -  +  +  +  +  +  +
POST /account/privacy/erasure                                         -  +  +  +  +  +  +
POST /account/privacy/erasure/removal                                 -  +  +  +  +  +  +
POST /account/privacy/exports                                         -  +  +  +  +  +  +
GET  /account/privacy/exports/<public_id>/data.zip                    -  +  +  +  +  +  +
POST /impersonation/end                                               -  +  +  +  +  +  +
GET  /account/email                                                   -  +  +  +  +  +  +
POST /account/email                                                   -  +  +  +  +  +  +
POST /account/email/removal                                           -  +  +  +  +  +  +
GET  /account/orders                                                  -  +  +  +  +  +  +
GET  /account/orders/<public_id>                                      -  +  +  +  +  +  +
POST /account/password                                                -  +  +  +  +  +  +
POST /account/password/link                                           -  +  +  +  +  +  +
POST /account/profile                                                 -  +  +  +  +  +  +
GET  /account/security                                                -  +  +  +  +  +  +
POST /account/security/passkeys                                       -  +  +  +  +  +  +
GET  /account/security/passkeys/<public_id>                           -  +  +  +  +  +  +
POST /account/security/passkeys/<public_id>                           -  +  +  +  +  +  +
POST /account/security/passkeys/<public_id>/removal                   -  +  +  +  +  +  +
POST /account/security/passkeys/challenges                            -  +  +  +  +  +  +
GET  /account/security/passkeys/new                                   -  +  +  +  +  +  +
POST /account/security/google                                         -  +  +  +  +  +  +
POST /account/security/google/removal                                 -  +  +  +  +  +  +
POST /account/security/recovery-codes                                 -  +  +  +  +  +  +
GET  /account/security/totp                                           -  +  +  +  +  +  +
POST /account/security/totp                                           -  +  +  +  +  +  +
POST /account/security/totp/removal                                   -  +  +  +  +  +  +
GET  /account/sessions                                                -  +  +  +  +  +  +
POST /account/sessions/<public_id>/removal                            -  +  +  +  +  +  +
POST /account/sessions/removal                                        -  +  +  +  +  +  +
GET  /account/tokens                                                  -  +  +  +  +  +  +
POST /account/tokens                                                  -  +  +  +  +  +  +
POST /account/tokens/<public_id>/removal                              -  +  +  +  +  +  +
GET  /account/tokens/new                                              -  +  +  +  +  +  +
POST /account/verification                                            -  +  +  +  +  +  +
GET  /learn                                                           -  +  +  +  +  +  +
GET  /learn/<course_slug>                                             -  +  +  +  +  +  +
GET  /learn/<course_slug>/<lesson_slug>                               -  +  +  +  +  +  +
POST /learn/<course_slug>/<lesson_slug>/completion                    -  +  +  +  +  +  +
POST /learn/<course_slug>/<lesson_slug>/completion/removal            -  +  +  +  +  +  +
POST /learn/<course_slug>/<lesson_slug>/position                      -  +  +  +  +  +  +
GET  /learn/<course_slug>/access                                      -  +  +  +  +  +  +
POST /login/confirmation/passkey                                      -  +  +  +  +  +  +
POST /login/confirmation/passkey/challenges                           -  +  +  +  +  +  +
POST /login/confirmation                                              -  +  +  +  +  +  +
POST /login/confirmation/link                                         -  +  +  +  +  +  +

GET  /admin                                                           -  -  +  +  +  +  +
GET  /admin/courses                                                   -  -  +  +  +  +  -
GET  /admin/courses/<public_id>                                       -  -  +  +  +  +  -
GET  /admin/courses/<public_id>/lessons/<lesson_id>/preview           -  -  +  +  +  +  -
GET  /admin/courses/<public_id>/preview                               -  -  +  +  +  +  -
GET  /admin/search                                                    -  -  +  +  +  +  +
POST /admin/views                                                     -  -  +  +  +  +  +
POST /admin/views/<public_id>                                         -  -  +  +  +  +  +
POST /admin/views/<public_id>/removal                                 -  -  +  +  +  +  +
POST /admin/views/restorations/<token>                                -  -  +  +  +  +  +
GET  /admin/bulk/<public_id>                                          -  -  +  +  +  +  +
POST /admin/bulk/<public_id>/beginning                                -  -  +  +  +  +  +
POST /admin/bulk/<public_id>/cancellation                             -  -  +  +  +  +  +
POST /admin/bulk/<public_id>/continuation                             -  -  +  +  +  +  +
GET  /admin/bulk/<public_id>/result.csv                               -  -  +  +  +  +  +
POST /admin/bulk/<public_id>/undoing                                  -  -  +  +  +  +  +

GET  /admin/courses/<public_id>/details                               -  -  +  -  +  +  -
POST /admin/courses/<public_id>/details                               -  -  +  -  +  +  -
GET  /admin/courses/<public_id>/lessons/<lesson_id>                   -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>                   -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/captions          -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/draft             -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/files/<role>/removal -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/files/<role>/restoration -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/length            -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/pictures          -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/place             -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/poster            -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/publication       -  -  +  -  +  +  -
GET  /admin/courses/<public_id>/lessons/<lesson_id>/removal           -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/removal           -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/video             -  -  +  -  +  +  -
POST /admin/courses/<public_id>/lessons/<lesson_id>/withdrawal        -  -  +  -  +  +  -
POST /admin/courses/<public_id>/picture                               -  -  +  -  +  +  -
GET  /admin/courses/<public_id>/picture                               -  -  +  -  +  +  -
POST /admin/courses/<public_id>/picture/removal                       -  -  +  -  +  +  -
POST /admin/courses/<public_id>/picture/restoration                   -  -  +  -  +  +  -
POST /admin/courses/<public_id>/section-order                         -  -  +  -  +  +  -
POST /admin/courses/<public_id>/section-restorations                  -  -  +  -  +  +  -
POST /admin/courses/<public_id>/sections                              -  -  +  -  +  +  -
GET  /admin/courses/<public_id>/sections/<section_id>                 -  -  +  -  +  +  -
POST /admin/courses/<public_id>/sections/<section_id>                 -  -  +  -  +  +  -
POST /admin/courses/<public_id>/sections/<section_id>/lesson-order    -  -  +  -  +  +  -
POST /admin/courses/<public_id>/sections/<section_id>/lessons         -  -  +  -  +  +  -
POST /admin/courses/<public_id>/sections/<section_id>/place           -  -  +  -  +  +  -
POST /admin/courses/<public_id>/sections/<section_id>/removal         -  -  +  -  +  +  -

GET  /admin/jobs                                                      -  -  -  +  +  +  -
GET  /admin/jobs/<int:job_id>                                         -  -  -  +  +  +  -
GET  /admin/jobs/log                                                  -  -  -  +  +  +  -
GET  /admin/jobs/schedules                                            -  -  -  +  +  +  -
GET  /admin/learners                                                  -  -  -  +  +  +  +
GET  /admin/mails                                                     -  -  -  +  +  +  -
GET  /admin/mails/templates                                           -  -  -  +  +  +  -
GET  /admin/mails/templates/<domain>/<name>                           -  -  -  +  +  +  -
GET  /admin/mails/templates/<domain>/<name>/body.html                 -  -  -  +  +  +  -
GET  /admin/orders                                                    -  -  -  +  +  +  +
GET  /admin/orders/<public_id>                                        -  -  -  +  +  +  +
GET  /admin/orders/<public_id>/receipt                                -  -  -  +  +  +  +
POST /admin/orders/<public_id>/receipts                               -  -  -  +  +  +  +
GET  /admin/people                                                    -  -  -  +  +  +  +
GET  /admin/people/<public_id>                                        -  -  -  +  +  +  +
GET  /admin/people/<public_id>/access                                 -  -  -  +  +  +  +
POST /admin/bulk/lists/<list_name>                                    -  -  -  +  +  +  +
GET  /admin/people/<public_id>/notes                                  -  -  -  +  +  +  +
GET  /admin/people/tags                                               -  -  -  +  +  +  +
GET  /admin/people/<public_id>/orders                                 -  -  -  +  +  +  +
POST /admin/people/<public_id>/notes                                  -  -  -  +  +  +  -
POST /admin/people/<public_id>/notes/<note_id>/removal                -  -  -  +  +  +  -
POST /admin/people/<public_id>/tags                                   -  -  -  +  +  +  -
POST /admin/people/<public_id>/tags/<tag_id>/removal                  -  -  -  +  +  +  -
POST /admin/people/tags                                               -  -  -  +  +  +  -
GET  /admin/people/tags/<tag_id>                                      -  -  -  +  +  +  -
POST /admin/people/tags/<tag_id>                                      -  -  -  +  +  +  -
POST /admin/people/tags/<tag_id>/merger                               -  -  -  +  +  +  -
POST /admin/people/tags/<tag_id>/removal                              -  -  -  +  +  +  -
GET  /admin/webhooks                                                  -  -  -  +  +  +  -
GET  /admin/webhooks/<provider>/<event_id>                            -  -  -  +  +  +  -

GET  /admin/audit                                                     -  -  -  -  +  +  +
GET  /admin/audit/<int:act_id>                                        -  -  -  -  +  +  +
GET  /admin/audit/<kind>/<subject_id>                                 -  -  -  -  +  +  +
GET  /admin/impersonations                                            -  -  -  -  +  +  +
GET  /admin/impersonations/<public_id>                                -  -  -  -  +  +  +
POST /admin/courses                                                   -  -  -  -  +  +  -
POST /admin/courses/<public_id>/archival                              -  -  -  -  +  +  -
GET  /admin/courses/<public_id>/price                                 -  -  -  -  +  +  -
POST /admin/courses/<public_id>/price                                 -  -  -  -  +  +  -
POST /admin/courses/<public_id>/publication                           -  -  -  -  +  +  -
POST /admin/courses/<public_id>/restoration                           -  -  -  -  +  +  -
POST /admin/courses/<public_id>/sale                                  -  -  -  -  +  +  -
POST /admin/courses/<public_id>/sale/end                              -  -  -  -  +  +  -
POST /admin/courses/<public_id>/withdrawal                            -  -  -  -  +  +  -
GET  /admin/courses/new                                               -  -  -  -  +  +  -
POST /admin/jobs/<int:job_id>/removal                                 -  -  -  -  +  +  -
POST /admin/jobs/<int:job_id>/retries                                 -  -  -  -  +  +  -
POST /admin/jobs/restorations/<token>                                 -  -  -  -  +  +  -
POST /admin/mails/<public_id>/retries                                 -  -  -  -  +  +  -
POST /admin/orders/<public_id>/acceptance                             -  -  -  -  +  +  -
POST /admin/orders/<public_id>/rejection                              -  -  -  -  +  +  -
POST /admin/orders/<public_id>/returns                                -  -  -  -  +  +  +
POST /admin/orders/<public_id>/refunds                                -  -  -  -  +  +  +
POST /admin/people                                                    -  -  -  -  +  +  -
POST /admin/people/<public_id>/access                                 -  -  -  -  +  +  -
POST /admin/people/<public_id>/access/<entitlement_id>/closure        -  -  -  -  +  +  -
GET  /admin/people/<public_id>/erasure                                -  -  -  -  +  +  -
POST /admin/people/<public_id>/erasure                                -  -  -  -  +  +  -
POST /admin/people/<public_id>/erasure/removal                        -  -  -  -  +  +  -
GET  /admin/people/<public_id>/impersonation                          -  -  -  -  +  +  -
POST /admin/people/<public_id>/impersonation                          -  -  -  -  +  +  -
GET  /admin/privacy                                                   -  -  -  -  +  +  -
POST /admin/people/<public_id>/reset                                  -  -  -  -  +  +  -
GET  /admin/people/<public_id>/details                                -  -  -  -  +  +  -
POST /admin/people/<public_id>/details                                -  -  -  -  +  +  -
POST /admin/people/<public_id>/password-change                        -  -  -  -  +  +  -
POST /admin/people/<public_id>/second-factor/removal                  -  -  -  -  +  +  -
POST /admin/people/<public_id>/sessions/removal                       -  -  -  -  +  +  -
POST /admin/people/<public_id>/suspension                             -  -  -  -  +  +  -
POST /admin/people/<public_id>/suspension/removal                     -  -  -  -  +  +  -
POST /admin/people/<public_id>/verification                           -  -  -  -  +  +  -
GET  /admin/people/<public_id>/tokens                                 -  -  -  -  +  +  -
POST /admin/people/<public_id>/tokens/<token_id>/removal              -  -  -  -  +  +  -
GET  /admin/people/new                                                -  -  -  -  +  +  -
GET  /admin/people/<public_id>/merge                                  -  -  -  -  +  +  -
POST /admin/people/<public_id>/merge                                  -  -  -  -  +  +  -
GET  /admin/people/imports                                            -  -  -  -  +  +  -
POST /admin/people/imports                                            -  -  -  -  +  +  -
GET  /admin/people/imports/<import_id>                                -  -  -  -  +  +  -
GET  /admin/people/imports/<import_id>/result.csv                     -  -  -  -  +  +  -
POST /admin/people/imports/<import_id>/cancellation                   -  -  -  -  +  +  -
POST /admin/people/imports/<import_id>/continuation                   -  -  -  -  +  +  -
POST /admin/people/imports/<import_id>/run                            -  -  -  -  +  +  -
POST /admin/people/imports/<import_id>/trials                         -  -  -  -  +  +  -
GET  /admin/settings                                                  -  -  -  -  +  +  -
POST /admin/settings                                                  -  -  -  -  +  +  -
POST /admin/settings/logo                                             -  -  -  -  +  +  -
POST /admin/settings/logo/removal                                     -  -  -  -  +  +  -
POST /admin/webhooks/<provider>/<event_id>/replays                    -  -  -  -  +  +  -

GET  /admin/connections                                               -  -  -  -  +  +  -
GET  /admin/connections/<public_id>                                   -  -  -  -  +  +  -
GET  /admin/connections/<public_id>/deliveries                        -  -  -  +  +  +  -
GET  /admin/connections/new                                           -  -  -  -  +  +  -
POST /admin/connections                                               -  -  -  -  +  +  -
POST /admin/connections/<public_id>/checks                            -  -  -  -  +  +  -
POST /admin/connections/<public_id>/credentials                       -  -  -  -  +  +  -
POST /admin/connections/<public_id>/name                              -  -  -  -  +  +  -
POST /admin/connections/<public_id>/removal                           -  -  -  -  +  +  -
POST /admin/connections/<public_id>/replays                           -  -  -  -  +  +  -
POST /admin/connections/<public_id>/secrets                           -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/deliveries                              -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/deliveries/<int:delivery_id>            -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/entries/<entry_id>/deliveries           -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/integrations                            -  -  -  +  +  +  -
POST /admin/forms/<public_id>/deliveries/<int:delivery_id>/replays    -  -  -  -  +  +  -
POST /admin/forms/<public_id>/deliveries/replays                      -  -  -  -  +  +  -
POST /admin/forms/<public_id>/integrations                            -  -  -  -  +  +  -
POST /admin/forms/<public_id>/integrations/<integration_id>           -  -  -  -  +  +  -
POST /admin/forms/<public_id>/integrations/<integration_id>/removal   -  -  -  -  +  +  -
POST /admin/forms/<public_id>/integrations/<integration_id>/tests     -  -  -  -  +  +  -
GET  /admin/forms                                                     -  -  -  +  +  +  -
GET  /admin/forms/<public_id>                                         -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/entries                                 -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/entries/<entry_id>                      -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/entries/<entry_id>/answers              -  -  -  -  +  +  -
POST /admin/forms/<public_id>/entries/<entry_id>/answers              -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/entries/<entry_id>/pdf                  -  -  -  +  +  +  -
POST /admin/forms/<public_id>/entries/<entry_id>/marks                -  -  -  -  +  +  -
POST /admin/forms/<public_id>/entries/<entry_id>/notes                -  -  -  -  +  +  -
POST /admin/forms/<public_id>/entries/<entry_id>/restoration          -  -  -  -  +  +  -
POST /admin/forms/<public_id>/entries/<entry_id>/sending              -  -  -  -  +  +  -
POST /admin/forms/<public_id>/entries/<entry_id>/state                -  -  -  -  +  +  -
POST /admin/forms/<public_id>/entries/columns                         -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/entries/file                            -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/entries/import                          -  -  -  -  +  +  -
POST /admin/forms/<public_id>/entries/import                          -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/trial                                   -  -  -  +  +  +  -
POST /admin/forms/<public_id>/trial                                   -  -  -  -  +  +  -
POST /admin/forms/<public_id>/trial/end                               -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/unfinished                              -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/unfinished/file                         -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/report                                  -  -  -  +  +  +  -
GET  /admin/forms/erasure                                             -  -  -  -  +  +  -
POST /admin/forms/erasure                                             -  -  -  -  +  +  -
GET  /admin/forms/new                                                 -  -  -  -  +  +  -
POST /admin/forms                                                     -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/share                                   -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/share/code.svg                          -  -  -  -  +  +  -
POST /admin/forms/<public_id>/links                                   -  -  -  -  +  +  -
POST /admin/forms/<public_id>/links/<link_id>/removal                 -  -  -  -  +  +  -
POST /admin/forms/<public_id>/state                                   -  -  -  -  +  +  -
POST /admin/forms/<public_id>/publication                             -  -  -  -  +  +  -
POST /admin/forms/<public_id>/undoing                                 -  -  -  -  +  +  -
POST /admin/forms/<public_id>/redoing                                 -  -  -  -  +  +  -
POST /admin/forms/<public_id>/field-order                             -  -  -  -  +  +  -
POST /admin/forms/<public_id>/fields                                  -  -  -  -  +  +  -
POST /admin/forms/<public_id>/fields/<field_id>                       -  -  -  -  +  +  -
POST /admin/forms/<public_id>/fields/<field_id>/place                 -  -  -  -  +  +  -
POST /admin/forms/<public_id>/address                                 -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/definition.json                         -  -  -  +  +  +  -
POST /admin/forms/<public_id>/duplicates                              -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/editors                                 -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/files/<file_id>                         -  -  -  +  +  +  -
POST /admin/forms/<public_id>/head                                    -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/logic                                   -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/preview                                 -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/preview/page                            -  -  -  +  +  +  -
POST /admin/forms/<public_id>/preview/page                            -  -  -  +  +  +  -
POST /admin/forms/<public_id>/rules                                   -  -  -  -  +  +  -
POST /admin/forms/<public_id>/rules/<rule_id>                         -  -  -  -  +  +  -
POST /admin/forms/<public_id>/rules/<rule_id>/place                   -  -  -  -  +  +  -
POST /admin/forms/<public_id>/rules/<rule_id>/removal                 -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/settings                                -  -  -  +  +  +  -
POST /admin/forms/<public_id>/settings                                -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/versions                                -  -  -  +  +  +  -
POST /admin/forms/<public_id>/versions/<int:number>/restoration       -  -  -  -  +  +  -
GET  /admin/forms/import                                              -  -  -  -  +  +  -
POST /admin/forms/imports                                             -  -  -  -  +  +  -
POST /admin/forms/<public_id>/fields/<field_id>/copies                -  -  -  -  +  +  -
POST /admin/forms/<public_id>/fields/<field_id>/pictures              -  -  -  -  +  +  -
POST /admin/forms/<public_id>/fields/<field_id>/removal               -  -  -  -  +  +  -
GET  /admin/forms/<public_id>/after                                   -  -  -  +  +  +  -
GET  /admin/forms/<public_id>/after/<row_id>                          -  -  -  +  +  +  -
POST /admin/forms/<public_id>/after                                   -  -  -  -  +  +  -
POST /admin/forms/<public_id>/after/<row_id>                          -  -  -  -  +  +  -
POST /admin/forms/<public_id>/after/<row_id>/place                    -  -  -  -  +  +  -
POST /admin/forms/<public_id>/after/<row_id>/removal                  -  -  -  -  +  +  -
POST /admin/forms/<public_id>/after/<row_id>/test                     -  -  -  -  +  +  -
POST /admin/forms/<public_id>/payment                                 -  -  -  -  +  +  -

POST /admin/people/<public_id>/role                                   -  -  -  -  -  +  -
GET  /admin/roles                                                     -  -  -  -  -  +  -
POST /admin/roles                                                     -  -  -  -  -  +  -
GET  /admin/roles/<key>                                               -  -  -  -  -  +  -
POST /admin/roles/<key>                                               -  -  -  -  -  +  -
POST /admin/roles/<key>/removal                                       -  -  -  -  -  +  -
GET  /admin/roles/new                                                 -  -  -  -  -  +  -
"""


def rows() -> dict[tuple[str, str], str]:
    """Method and rule of each row, with the seven signs."""
    found = {}
    for line in TABLE.splitlines():
        if line.startswith(("GET ", "POST ")):
            method, rule, *signs = line.split()
            found[method, rule] = "".join(signs)
    return found


def test_the_table_has_every_address_and_nothing_else(app: Lectern) -> None:
    served = {(m, rule.rule) for m in ("GET", "POST") for rule in everywhere.routes(app, m)}
    assert served == set(rows())
    others = {m for rule in app.url_map.iter_rules() for m in rule.methods or ()} - {"GET", "HEAD", "OPTIONS", "POST"}
    assert not others


async def is_let_in(browser: TestClientProtocol, method: str, path: str) -> bool:
    answer = await browser.open(path, method=method)
    assert answer.status_code < 500, (method, path)
    if answer.status_code == 401:  # below /api a sign-in counts for nothing (tests/test_api.py asks with tokens)
        return False
    if answer.status_code in (302, 303) and answer.headers["Location"].startswith("/login?next="):
        return False
    return answer.status_code != 403 or "Your role does not allow this" not in await answer.get_data(as_text=True)


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_reaches_what_the_table_says(app: Lectern, cast: Cast, unlimited: None, role: str) -> None:
    await cast.role("bookkeeper", BOOKKEEPER)
    person = await cast.person("Kim Kern", "kim@example.org", role="member" if role == "visitor" else role)
    places = await everywhere.one_of_everything(app, instructor_id=person.id)
    for (method, rule), signs in rows().items():
        if role == "visitor":
            person.browser.cookie_jar.clear()  # type: ignore[union-attr]
        else:
            await cast.sign_in(person)
        reached = await is_let_in(person.browser, method, address(rule, places))
        assert reached == (signs[ROLES.index(role)] == "+"), f"{role}: {method} {rule}"


# --- things of others ---


async def refused(person: Person, method: str, path: str, status: int = 404) -> None:
    answer = await person.browser.open(path, method=method)
    assert answer.status_code == status, f"{answer.status_code} {method} {path}"


async def test_an_address_that_does_not_say_to_whom_it_is_open_is_shut(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unsaid() -> str:
        return "open to everybody"

    monkeypatch.setitem(app.view_functions, "health.show_live", unsaid)
    answer = await client.get("/health/live")
    assert (answer.status_code, "open to everybody" in await answer.get_data(as_text=True)) == (403, False)


async def test_orders_receipts_and_devices_of_others_are_not_found(app: Lectern, cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    order = await an_order(user_id=ann.id)
    assert (await ann.browser.get(f"/account/orders/{order}")).status_code == 200
    session = await db.value("SELECT public_id FROM sessions WHERE user_id = :id", id=ann.id)
    await refused(bob, "GET", f"/account/orders/{order}")
    await refused(bob, "GET", f"/checkout/success?order={order}")
    await refused(bob, "GET", f"/checkout/success?order={order}&session_id=None")
    await refused(bob, "GET", f"/checkout/success?order={order}&session_id=")
    await refused(bob, "POST", f"/account/sessions/{session}/removal")
    assert (await ann.browser.get("/account")).status_code == 200


async def test_an_instructor_changes_nothing_of_a_course_of_others(app: Lectern, cast: Cast, unlimited: None) -> None:
    ines, rob = await cast.ines(), await cast.rob()
    places = await everywhere.one_of_everything(app, instructor_id=rob.id)
    before = await _course_rows()
    for (method, rule), signs in rows().items():
        if signs == "--+-++-":
            await refused(ines, method, address(rule, places), 403)
    assert await _course_rows() == before


async def _course_rows() -> list[str]:
    found = []
    for table in ("courses", "sections", "lessons", "uploads"):
        found.append(await db.value(f"SELECT coalesce(json_agg(t)::text, '') FROM {table} t"))
    return found


async def test_parts_of_one_course_are_not_found_below_another(app: Lectern, cast: Cast, unlimited: None) -> None:
    ines, rob = await cast.ines(), await cast.rob()
    places = await everywhere.one_of_everything(app, instructor_id=rob.id)
    own = await a_course("own-course", "Her own", instructor_id=ines.id)
    before = await db.value("SELECT json_agg(l)::text FROM lessons l WHERE course_id <> :own", own=own.id)
    for method, rule in rows():
        if "<lesson_id>" in rule or "<section_id>" in rule:
            await refused(ines, method, address(rule, places, public_id=own.public_id))
    assert await db.value("SELECT json_agg(l)::text FROM lessons l WHERE course_id <> :own", own=own.id) == before


async def test_a_cause_of_one_person_is_not_found_below_another(app: Lectern, cast: Cast) -> None:
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    course = await a_course()
    async with db.transaction():
        await entitlements.grant(ann.id, course.product_id or 0, source="manual", source_ref="manual:1")
    cause = await db.value("SELECT public_id FROM entitlements")
    path = f"/admin/people/{bob.public_id}/access/{cause}/closure"
    answer = await olga.browser.post(path, form={f"{cause}-reason": "because"})
    assert answer.status_code == 404
    assert await entitlements.allows(ann.id, course.id)


async def test_drafts_and_archived_courses_are_found_by_nobody_outside(app: Lectern, cast: Cast) -> None:
    ann = await cast.ann()
    await a_course("secret", "Secret plan", state="draft")
    for path in (
        "/courses/secret",
        "/courses/secret/offer",
        "/courses/secret/preview/lesson-1",
        "/learn/secret",
        "/learn/secret/lesson-1",
        "/learn/secret/access",
    ):
        await refused(ann, "GET", path)
    answer = await ann.browser.post("/cart/items", form={"product": "secret"})
    assert answer.status_code == 404
    for path in ("/", "/courses", "/courses?q=secret", "/learn"):
        assert "Secret plan" not in await (await ann.browser.get(path)).get_data(as_text=True)


async def test_a_lesson_that_is_no_preview_stays_closed(app: Lectern, cast: Cast) -> None:
    ann = await cast.ann()
    course = await a_course(previews=2)
    await refused(ann, "GET", "/courses/reading-price/preview/lesson-3")
    await db.run("UPDATE lessons SET state = 'draft' WHERE id = :id", id=course.lesson_ids[0])
    await refused(ann, "GET", "/courses/reading-price/preview/lesson-1")


@pytest.mark.parametrize("role", ["support", "admin", "instructor"])
async def test_nobody_raises_a_role_but_the_owner(app: Lectern, cast: Cast, role: str) -> None:
    person = await cast.person("Kim Kern", "kim@example.org", role=role)
    ann, olga = await cast.ann(), await cast.olga()
    for path in (
        f"/admin/people/{person.public_id}/role",
        f"/admin/people/{ann.public_id}/role",
        f"/admin/people/{olga.public_id}/suspension",
        f"/admin/people/{olga.public_id}/sessions/removal",
        f"/admin/people/{person.public_id}/suspension",
    ):
        answer = await person.browser.post(path, form={"role": "owner"})
        assert answer.status_code == 403, path
    form = {"name": "Kim", "role": "owner", "state": "active", "email_verified_at": "2020-01-01", "is_admin": "1"}
    await person.browser.post("/account/profile", form=form)
    people = await db.value("SELECT string_agg(role, ',' ORDER BY id) FROM users")
    assert people == f"{role},member,owner"


async def test_a_course_cannot_be_handed_over_or_priced_by_its_instructor(app: Lectern, cast: Cast) -> None:
    ines, bob = await cast.ines(), await cast.bob()
    course = await a_course(instructor_id=ines.id)
    form = {"title": "Mine", "slug": "mine", "level": "beginner", "language": "en", "revision": "1"}
    await ines.browser.post(
        f"/admin/courses/{course.public_id}/details",
        form={**form, "instructor": str(bob.id), "state": "archived", "amount": "1"},
    )
    kept = await db.one(db.Row, "SELECT instructor_id, state FROM courses")
    assert kept is not None
    assert (kept.instructor_id, kept.state) == (ines.id, "published")


async def test_money_roles_and_doors_ask_for_a_fresh_sign_in(app: Lectern, cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    order = await an_order(user_id=ann.id)
    await cast.sign_in(olga, fresh=False)
    for path in (
        f"/admin/orders/{order}/refunds",
        f"/admin/orders/{order}/acceptance",
        f"/admin/orders/{order}/rejection",
        f"/admin/people/{ann.public_id}/role",
        f"/admin/people/{ann.public_id}/suspension",
        f"/admin/people/{ann.public_id}/suspension/removal",
        f"/admin/people/{ann.public_id}/password-change",
        f"/admin/people/{ann.public_id}/details",
        f"/admin/people/{ann.public_id}/second-factor/removal",
        f"/admin/people/{ann.public_id}/erasure",
        f"/admin/people/{ann.public_id}/merge",
        "/admin/people/imports/any/run",
        f"/admin/orders/{order}/returns",
        "/admin/roles",
        "/admin/roles/any",
        "/admin/roles/any/removal",
        "/admin/forms/erasure",
        *(f"/admin/bulk/any/{act}" for act in ("beginning", "undoing", "continuation", "cancellation")),
    ):
        answer = await olga.browser.post(path)
        assert answer.status_code == 303, path
        assert "fresh=1" in answer.headers["Location"]

"""The back office of courses: the list, a course's details, its outline, its lessons and their files."""

from quart import Blueprint

admin = Blueprint("courses_admin", __name__, url_prefix="/admin")

from app.courses.admin import courses, files, lessons, outline  # noqa: E402, F401 (they put their routes into it)

"""Russian. Statuses are neuter: they are said of a rule (правило)."""

# ruff: noqa: RUF001 - the letters that look Latin are Cyrillic, and meant to be

from typing import Final

from dozor.model.alert import AlertState, Severity
from dozor.model.notification import Occasion
from dozor.notify.message.texts import Evidence, Facts, Headings, Texts, Units


def _plural(count: int) -> int:
    """1, 21, 101 алерт; 2, 3, 4, 22 алерта; 0, 5, 11, 12, 14, 111 алертов."""
    if count % 10 == 1 and count % 100 != 11:
        return 0
    return 1 if 2 <= count % 10 <= 4 and not 12 <= count % 100 <= 14 else 2


RUSSIAN: Final = Texts(
    language="ru",
    plural=_plural,
    severities={
        Severity.INFO: "ИНФО",
        Severity.WARNING: "ПРЕДУПРЕЖДЕНИЕ",
        Severity.CRITICAL: "КРИТИЧНО",
        Severity.EMERGENCY: "АВАРИЯ",
    },
    states={
        AlertState.PENDING: "ожидает",
        AlertState.FIRING: "сработало",
        AlertState.ACKNOWLEDGED: "взято в работу",
        AlertState.SILENCED: "заглушено",
        AlertState.RESOLVED: "устранено",
    },
    occasions={
        Occasion.FIRING: "сработало",
        Occasion.ESCALATED: "важность повышена",
        Occasion.REMINDER: "всё ещё не устранено",
        Occasion.RESOLVED: "устранено",
        Occasion.ACKNOWLEDGED: "взято в работу",
        Occasion.SILENCED: "заглушено",
    },
    resolved_mark="УСТРАНЕНО",
    headings=Headings(
        advice="Что сделать в первую очередь",
        evidence="Что было видно в момент срабатывания",
        runbook="Инструкция",
        open="Открыть в Dozor",
        acknowledge="Взять в работу",
        silence="Заглушить на 1 ч",
    ),
    facts=Facts(
        severity="Важность",
        since="Началось",
        resolved="Устранено",
        value="Значение",
        where="Где",
        acknowledged="В работе",
        silenced="Заглушено",
        flapping="Мигает",
        note="Примечание",
    ),
    evidence=Evidence(
        holder="{who} держит соединение уже {duration}",
        holder_leaked="{who} держит соединение уже {duration} и так и не вернул его",
        statement="сейчас выполняет: {statement}",
        slow_query="{duration}: {statement}",
        failed="ошибка {error}",
        called_from="вызов из {caller}",
        usually_from="обычно вызов из {caller}",
        stall="цикл событий был занят {duration}: {place}",
        slow_command="{duration}: {command}",
        client="от клиента {client}",
        route="{route}: каждый двадцатый запрос дольше {duration}, запросов в секунду: {rate}",
        route_errors="ошибок в секунду: {rate}",
    ),
    units=Units(
        decimal=",",
        thousands="\u00a0",
        bytes=("Б", "КиБ", "МиБ", "ГиБ", "ТиБ", "ПиБ"),
        milliseconds="мс",
        durations=("с", "мин", "ч", "д"),
        infinite="бесконечность",
        nothing="нет данных",
    ),
    reasons={
        "the condition ended": "условие больше не выполняется",
        "closed by hand": "закрыто вручную",
    },
    title="{rule}: {occasion}",
    title_of_many="{rule}: {occasion}, {alerts}",
    alerts=("{count} алерт", "{count} алерта", "{count} алертов"),
    more=("… и ещё {count} алерт", "… и ещё {count} алерта", "… и ещё {count} алертов"),
    no_summary="Выполняется условие {rule}",
    moment="{moment} UTC",
    lasting="{moment} (длится {duration})",
    ended="{moment}, длилось {duration}",
    ended_because="{moment}, длилось {duration}: {reason}",
    limit="{value} (порог {threshold})",
    equality="{value} (срабатывает при {threshold})",
    by="{who}",
    somebody="кто-то",
    commented="{what}: {comment}",
    until="до {moment}",
    until_resolved="пока не будет устранено",
    by_silence="общей заглушкой для нескольких алертов",
    flapping=(
        "за последнее время сработало {count} раз; пока это продолжается, сообщения приходят реже",
        "за последнее время сработало {count} раза; пока это продолжается, сообщения приходят реже",
        "за последнее время сработало {count} раз; пока это продолжается, сообщения приходят реже",
    ),
    no_data="данные больше не поступают; показано последнее известное значение",
)
